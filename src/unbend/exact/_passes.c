/* Compiled passes over rows: `gradient` in two parts, and `products` of shifted columns.

   A chunk of rows is read from arrays of any strides, float32 or float64, into a buffer in cache, and a kernel works on
   that (_kernel.h). The kernel is chosen when the module is loaded, by what the processor has. The functions of Python
   that call this module say what the arguments mean; here they are checked only for what memory safety needs. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__has_builtin)
#error "needs the vector types of GCC or Clang; without the compiled passes NumPy does their work"
#elif !__has_builtin(__builtin_shufflevector)
#error "needs GCC 12 or Clang; without the compiled passes NumPy does their work"
#endif

#define SIZE ((Py_ssize_t)sizeof(double))

/* Rows of a chunk: the p columns of x, `apart` numbers from one to the next, and one target. */
typedef struct {
    Py_ssize_t rows, p, apart;
    double *x, *x_low, *y, *y_low, *w, *r, *r_low, *wr, *wr_low;
} Chunk;

/* Rows of a chunk of x as above with the number of each row's class, its weight, and for each class but the first its
   share and residual. What is summed has W lanes for each number. `right` is room for a tile of columns times `spread`,
   the weights of the Hessian; `across` is p filled to whole tiles. beta (k, 1 + p). */
typedef struct {
    Py_ssize_t rows, p, across, k;
    const double *beta;
    double *x, *right, *y, *w, *spread, *share, *residual, *totals, *gradient, *products;
} Odds;

typedef struct {
    int width, tile;
    void (*chunk)(const Chunk *, const double *b0, const double *b, double *sums);
    void (*settle)(double *sums, Py_ssize_t count);
    Py_ssize_t (*columns)(const char *from, Py_ssize_t row, Py_ssize_t n, Py_ssize_t left, Py_ssize_t p, double *to,
                          Py_ssize_t apart);
    void (*lengths)(const Chunk *, const double *mean, const double *root, const Py_ssize_t *deep, Py_ssize_t k);
    void (*block)(Py_ssize_t n, Py_ssize_t panels, Py_ssize_t live, Py_ssize_t panel, const double *a, const double *b,
                  double *out, Py_ssize_t across);
    void (*panel)(Py_ssize_t n, const char *x, Py_ssize_t row, const double *shift, int live, double *to);
    void (*weigh)(Py_ssize_t n, const double *from, const double *w, double *to);
    void (*shares)(const Odds *o);
    void (*slopes)(const Odds *o);
    void (*curvature)(const Odds *o, Py_ssize_t a, Py_ssize_t b, double *products);
} Kernel;

typedef struct {
    const char *name;
    const Kernel *kernel;
} Named;

#define SHUFFLE(a, b, lanes) __builtin_shufflevector(a, b, lanes)

#if defined(__x86_64__)
#include <immintrin.h>

#define NAME(f) f##_avx512
#define TARGET __attribute__((target("avx512f")))
#define VD __m512d
#define W 8
#define SET1 _mm512_set1_pd
#define FMA _mm512_fmadd_pd
#define LOW1 0, 8, 2, 10, 4, 12, 6, 14
#define HIGH1 1, 9, 3, 11, 5, 13, 7, 15
#define LOW2 0, 1, 8, 9, 4, 5, 12, 13
#define HIGH2 2, 3, 10, 11, 6, 7, 14, 15
#define LOW4 0, 1, 2, 3, 8, 9, 10, 11
#define HIGH4 4, 5, 6, 7, 12, 13, 14, 15
#include "_kernel.h"
#undef NAME
#undef TARGET
#undef VD
#undef W
#undef SET1
#undef FMA
#undef LOW1
#undef HIGH1
#undef LOW2
#undef HIGH2

#define NAME(f) f##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VD __m256d
#define W 4
#define SET1 _mm256_set1_pd
#define FMA _mm256_fmadd_pd
#define LOW1 0, 4, 2, 6
#define HIGH1 1, 5, 3, 7
#define LOW2 0, 1, 4, 5
#define HIGH2 2, 3, 6, 7
#include "_kernel.h"

static const Named KERNELS[] = {{"avx512", &kernel_avx512}, {"avx2", &kernel_avx2}};

static int runs(int which)
{
    __builtin_cpu_init();
    return which ? __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") : __builtin_cpu_supports("avx512f");
}

#elif defined(__aarch64__)
#include <arm_neon.h>

#define NAME(f) f##_neon
#define TARGET
#define VD float64x2_t
#define W 2
#define SET1 vdupq_n_f64
#define FMA(a, b, c) vfmaq_f64(c, a, b)
#define LOW1 0, 2
#define HIGH1 1, 3
#include "_kernel.h"

static const Named KERNELS[] = {{"neon", &kernel_neon}};

static int runs(int which)
{
    return which == 0;
}

#else
#error "no kernel for this processor; without the compiled passes NumPy does their work"
#endif

#define COUNT ((int)(sizeof KERNELS / sizeof *KERNELS))
static const Kernel *kernel;

/* ---- arrays of one or two axes -------------------------------------------------------------------------------------- */

typedef struct {
    Py_buffer buffer;
    const char *data; /* NULL for None */
    Py_ssize_t rows, columns, row, column;
    int narrow; /* float32 */
} Array;

static int get(PyObject *object, Array *array, int writable)
{
    memset(array, 0, sizeof *array);
    if (object == Py_None)
        return 0;
    if (PyObject_GetBuffer(object, &array->buffer, PyBUF_STRIDES | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0)))
        return -1;
    const char *format = array->buffer.format;
    int ndim = array->buffer.ndim;
    array->narrow = format && !strcmp(format, "f");
    if (ndim < 1 || ndim > 2 || !format || !(array->narrow || !strcmp(format, "d"))) {
        PyErr_SetString(PyExc_TypeError, "an array of one or two axes of float64 or float32 is needed");
        return -1;
    }
    array->data = array->buffer.buf;
    array->rows = array->buffer.shape[0];
    array->columns = ndim > 1 ? array->buffer.shape[1] : 1;
    array->row = array->buffer.strides[0];
    array->column = ndim > 1 ? array->buffer.strides[1] : 0;
    return 0;
}

/* All arguments; the last `outputs` are written to. */
static int get_all(PyObject *arguments, Array *arrays, Py_ssize_t count, Py_ssize_t outputs)
{
    memset(arrays, 0, (size_t)count * sizeof *arrays);
    if (PyTuple_Size(arguments) != count) {
        PyErr_SetString(PyExc_TypeError, "the number of arguments is wrong");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (get(PyTuple_GetItem(arguments, i), &arrays[i], i >= count - outputs))
            return -1;
    return 0;
}

static PyObject *finish(Array *arrays, int count, int status)
{
    for (int i = 0; i < count; i++)
        if (arrays[i].buffer.obj)
            PyBuffer_Release(&arrays[i].buffer);
    return status ? NULL : Py_NewRef(Py_None);
}

static int is(const Array *array, Py_ssize_t rows, Py_ssize_t columns)
{
    return !array->data || (array->rows == rows && array->columns == columns);
}

/* The numbers of a float64 array if they lie one after the other. */
static double *whole(const Array *array)
{
    if (!array->data || array->narrow)
        return NULL;
    int line = array->columns <= 1 || array->column == SIZE;
    int lines = array->rows <= 1 || array->row == array->columns * SIZE;
    return array->rows * array->columns == 0 || (line && lines) ? (double *)array->data : NULL;
}

static int refuse(void)
{
    PyErr_SetString(PyExc_ValueError, "the arrays do not fit together");
    return -1;
}

static double *scratch(Py_ssize_t count, void **keep)
{
    *keep = calloc((size_t)count + 8, sizeof(double));
    return *keep ? (double *)(((size_t)*keep + 63) & ~(size_t)63) : NULL;
}

/* to[0], to[step], … = n numbers of column j from row `first`, less `shift`. */
static void column(const Array *a, Py_ssize_t first, Py_ssize_t n, Py_ssize_t j, double shift, double *to,
                   Py_ssize_t step)
{
    const char *from = a->data + first * a->row + j * a->column;
    for (Py_ssize_t i = 0; i < n; i++, from += a->row) {
        float narrow;
        double value;
        if (a->narrow)
            memcpy(&narrow, from, sizeof narrow), value = narrow;
        else
            memcpy(&value, from, sizeof value);
        to[i * step] = value - shift;
    }
}

/* n rows as float64 whose numbers lie one after the other: `row` bytes apart in the array itself, or in `to`. NULL if
   the numbers of a row do not lie one after the other. `left` says how many rows follow, these included. */
static const char *rows_of(const Array *a, Py_ssize_t first, Py_ssize_t n, double *to, Py_ssize_t *row, Py_ssize_t *left)
{
    const char *from = a->data + first * a->row;
    *row = a->row, *left = a->rows - first;
    if (!a->narrow)
        return a->column == SIZE && a->row > 0 ? from : NULL;
    if (a->column != (Py_ssize_t)sizeof(float))
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++, from += a->row)
        for (Py_ssize_t j = 0; j < a->columns; j++) {
            float narrow;
            memcpy(&narrow, from + j * (Py_ssize_t)sizeof narrow, sizeof narrow);
            to[i * a->columns + j] = narrow;
        }
    *row = a->columns * SIZE, *left = n;
    return (const char *)to;
}

/* ---- gradient --------------------------------------------------------------------------------------------------------- */

enum { X, Y, B0, B, WEIGHTS, X_LOW, Y_LOW, RESIDUALS, SUMS, GRADIENT_ARRAYS };
enum { FIRST_CACHE = 4096, SETTLE = 1024 }; /* numbers of x in a chunk; rows after which sums are renormalised */

static Py_ssize_t chunk_rows(Py_ssize_t p)
{
    Py_ssize_t rows = p < 8 ? 256 : 64;
    while (rows > 32 && rows * p > FIRST_CACHE)
        rows /= 2;
    return p > 2048 ? 8 : rows;
}

/* n rows of all columns, `apart` from one column to the next, the rest of each filled with 0. */
static void columns_of(const Array *a, Py_ssize_t first, Py_ssize_t n, Py_ssize_t apart, double *to, double *wide)
{
    Py_ssize_t row, left, done = 0;
    const char *from = rows_of(a, first, n, wide, &row, &left);
    if (from)
        done = kernel->columns(from, row, n, left, a->columns, to, apart);
    for (Py_ssize_t j = 0; j < a->columns; j++, to += apart) {
        if (a->row == SIZE && !a->narrow)
            memcpy(to + done, a->data + (first + done) * a->row + j * a->column, (size_t)(n - done) * sizeof *to);
        else
            column(a, first + done, n - done, j, 0.0, to + done, 1);
        memset(to + n, 0, (size_t)(apart - n) * sizeof *to);
    }
}

/* A target of the chunk, or its weights, the rest filled with 0. */
static void target_of(const Array *a, Py_ssize_t first, Py_ssize_t n, Py_ssize_t rows, Py_ssize_t t, double *to)
{
    if (!a->data)
        return;
    if (a->row == SIZE && !a->narrow)
        memcpy(to, a->data + first * SIZE + t * a->column, (size_t)n * sizeof *to);
    else
        column(a, first, n, t, 0.0, to, 1);
    memset(to + n, 0, (size_t)(rows - n) * sizeof *to);
}

static void weights_of(const Array *a, Py_ssize_t first, Py_ssize_t n, Py_ssize_t rows, double *to)
{
    target_of(a, first, n, rows, 0, to);
    for (Py_ssize_t i = 0; i < rows && !a->data; i++)
        to[i] = i < n;
}

static void write_residuals(const Array *a, Py_ssize_t first, Py_ssize_t n, Py_ssize_t t, const double *from)
{
    if (!a->data)
        return;
    char *to = (char *)a->data + first * a->row + t * a->column;
    for (Py_ssize_t i = 0; i < n; i++, to += a->row)
        memcpy(to, from + i, sizeof *from);
}

/* The sum of the lanes of each of `count` sums, in two parts. */
static void across_lanes(const double *sums, Py_ssize_t count, double *out)
{
    int width = kernel->width;
    for (Py_ssize_t i = 0; i < count; i++, sums += 2 * width) {
        double hi = 0.0, lo = 0.0;
        for (int lane = 0; lane < width; lane++) {
            double sum = hi + sums[lane], moved = sum - hi;
            lo += (hi - (sum - moved)) + (sums[lane] - moved) + sums[width + lane];
            hi = sum;
        }
        double sum = hi + lo, moved = sum - hi;
        out[2 * i] = sum;
        out[2 * i + 1] = (hi - (sum - moved)) + (lo - moved);
    }
}

static int run_gradient(Array *a)
{
    Py_ssize_t n = a[X].rows, p = a[X].columns, k = a[B0].rows, rows = chunk_rows(p);
    Py_ssize_t low = a[X_LOW].data != NULL, count = 2 + p, lanes = 2 * kernel->width;
    Py_ssize_t apart = rows + 8; /* powers of two would share a few lines of the cache */
    void *keep;
    double *sums = scratch(k * count * lanes + (2 + low) * apart * p + 7 * rows, &keep);
    if (!sums)
        return -1;
    double *wide = sums + k * count * lanes, *x = wide + rows * p, *y = x + (1 + low) * apart * p;
    Chunk c = {rows, p, apart, x, low ? x + apart * p : NULL, y, y + rows, y + 2 * rows, y + 3 * rows, y + 4 * rows,
               y + 5 * rows, y + 6 * rows};
    for (Py_ssize_t first = 0; first < n; first += rows) {
        Py_ssize_t m = n - first < rows ? n - first : rows;
        columns_of(&a[X], first, m, apart, c.x, wide);
        if (low)
            columns_of(&a[X_LOW], first, m, apart, c.x_low, wide);
        weights_of(&a[WEIGHTS], first, m, rows, c.w);
        for (Py_ssize_t t = 0; t < k; t++) {
            target_of(&a[Y], first, m, rows, t, c.y);
            target_of(&a[Y_LOW], first, m, rows, t, c.y_low);
            kernel->chunk(&c, whole(&a[B0]) + 2 * t, whole(&a[B]) + 2 * p * t, sums + t * count * lanes);
            write_residuals(&a[RESIDUALS], first, m, t, c.r);
        }
        if (first / SETTLE != (first + rows) / SETTLE)
            kernel->settle(sums, k * count);
    }
    across_lanes(sums, k * count, whole(&a[SUMS]));
    free(keep);
    return 0;
}

static PyObject *gradient(PyObject *module, PyObject *arguments)
{
    Array a[GRADIENT_ARRAYS];
    (void)module;
    int status = get_all(arguments, a, GRADIENT_ARRAYS, 2);
    Py_ssize_t n = a[X].rows, p = a[X].columns, k = a[B0].rows;
    if (!status
        && (!a[X].data || !whole(&a[B0]) || !whole(&a[B]) || !whole(&a[SUMS]) || a[RESIDUALS].narrow || !is(&a[Y], n, k)
            || !is(&a[B0], k, 2) || !is(&a[B], k, 2 * p) || !is(&a[WEIGHTS], n, 1) || !is(&a[X_LOW], n, p)
            || !is(&a[Y_LOW], n, k) || !is(&a[RESIDUALS], n, k) || !is(&a[SUMS], k, 2 * (2 + p))))
        status = refuse();
    if (!status) {
        Py_BEGIN_ALLOW_THREADS
        status = run_gradient(a);
        Py_END_ALLOW_THREADS
        if (status)
            PyErr_NoMemory();
    }
    return finish(a, GRADIENT_ARRAYS, status);
}

/* ---- lengths ------------------------------------------------------------------------------------------------------------ */

enum { LX, MEAN, ROOT, LENGTHS, LENGTH_ARRAYS };

static int run_lengths(Array *a)
{
    Py_ssize_t n = a[LX].rows, p = a[LX].columns, k = a[ROOT].columns, rows = chunk_rows(p), apart = rows + 8;
    const double *root = whole(&a[ROOT]);
    void *keep, *depths = calloc((size_t)k + 4, sizeof(Py_ssize_t));
    double *x = scratch(apart * p + rows + rows * p, &keep);
    if (!x || !depths) {
        free(x ? keep : NULL);
        free(depths);
        return -1;
    }
    Py_ssize_t *deep = depths;
    for (Py_ssize_t q = 0; q < k; q++) { /* never less than a column before: four are taken together */
        for (Py_ssize_t j = 0; j < p; j++)
            if (root[j * k + q] != 0.0)
                deep[q] = j + 1;
        if (q && deep[q] < deep[q - 1])
            deep[q] = deep[q - 1];
    }
    Chunk c = {.rows = rows, .p = p, .apart = apart, .x = x, .r = x + apart * p};
    for (Py_ssize_t first = 0; first < n; first += rows) {
        Py_ssize_t m = n - first < rows ? n - first : rows;
        columns_of(&a[LX], first, m, apart, c.x, c.r + rows);
        kernel->lengths(&c, whole(&a[MEAN]), root, deep, k);
        memcpy(whole(&a[LENGTHS]) + first, c.r, (size_t)m * sizeof *c.r);
    }
    free(keep);
    free(depths);
    return 0;
}

static PyObject *lengths(PyObject *module, PyObject *arguments)
{
    Array a[LENGTH_ARRAYS];
    (void)module;
    int status = get_all(arguments, a, LENGTH_ARRAYS, 1);
    Py_ssize_t n = a[LX].rows, p = a[LX].columns;
    if (!status
        && (!a[LX].data || !whole(&a[MEAN]) || !whole(&a[ROOT]) || !whole(&a[LENGTHS]) || !is(&a[MEAN], p, 1)
            || !is(&a[ROOT], p, a[ROOT].columns) || !is(&a[LENGTHS], n, 1)))
        status = refuse();
    if (!status) {
        Py_BEGIN_ALLOW_THREADS
        status = run_lengths(a);
        Py_END_ALLOW_THREADS
        if (status)
            PyErr_NoMemory();
    }
    return finish(a, LENGTH_ARRAYS, status);
}

/* ---- products ----------------------------------------------------------------------------------------------------------- */

enum { PX, PY, SHIFT, PWEIGHTS, PRODUCTS, PRODUCT_ARRAYS };

/* Rows of a chunk: so many that a panel stays in the first cache, and all panels in the second while they are few. */
static Py_ssize_t panel_rows(Py_ssize_t across)
{
    Py_ssize_t rows = 32768 / across;
    return rows > 384 ? 384 : rows > 96 ? rows / 8 * 8 : across > 1000 ? 384 : 96;
}

/* `live` columns of x from column j into a panel, less their shifts, as many of n rows as can be read in whole vectors
   from `from`; returns how many. */
static Py_ssize_t vectors_of(const char *from, Py_ssize_t row, Py_ssize_t n, Py_ssize_t left, Py_ssize_t j, int live,
                             const double *shift, double *to)
{
    Py_ssize_t over = (kernel->width - live) * SIZE, last = left - (row > 0 ? (over + row - 1) / row : left);
    Py_ssize_t done = last < 0 ? 0 : last < n ? last : n; /* what is read behind the columns is in later rows */
    kernel->panel(done, from + j * SIZE, row, shift, live, to);
    return done;
}

/* The same from columns whose numbers lie one after the other, W of them. */
static Py_ssize_t turned_of(const Array *x, Py_ssize_t first, Py_ssize_t n, Py_ssize_t j, const double *shift,
                            double *to)
{
    int width = kernel->width;
    Py_ssize_t done = n / width * width;
    kernel->columns(x->data + first * x->row + j * x->column, x->column, width, width, done, to, width);
    kernel->panel(done, (const char *)to, width * SIZE, shift, width, to);
    return done;
}

/* n rows of all columns of x and y into panels of W columns, less their shifts. */
static void panels_of(const Array *x, const Array *y, Py_ssize_t first, Py_ssize_t n, Py_ssize_t size,
                      const double *shift, double *to, double *wide)
{
    Py_ssize_t row, left, p = x->columns, width = kernel->width;
    const char *from = rows_of(x, first, n, wide, &row, &left);
    for (Py_ssize_t j = 0; j < p; j += width) {
        int live = (int)(p - j < width ? p - j : width);
        double *panel = to + j / width * size;
        Py_ssize_t done = 0;
        if (from)
            done = vectors_of(from, row, n, left, j, live, shift + j, panel);
        else if (x->row == SIZE && !x->narrow && live == width)
            done = turned_of(x, first, n, j, shift + j, panel);
        for (int i = 0; i < live && done < n; i++)
            column(x, first + done, n - done, j + i, shift[j + i], panel + done * width + i, width);
    }
    for (Py_ssize_t j = p; j < p + y->columns; j++)
        column(y, first, n, j - p, shift[j], to + j / width * size + j % width, width);
}

/* The lower half from the upper, block by block. */
static void mirror(double *a, Py_ssize_t q, Py_ssize_t across)
{
    enum { BLOCK = 32 };
    for (Py_ssize_t i = 0; i < q; i += BLOCK)
        for (Py_ssize_t j = i; j < q; j += BLOCK)
            for (Py_ssize_t r = i; r < i + BLOCK && r < q; r++)
                for (Py_ssize_t c = j > r ? j : r; c < j + BLOCK && c < q; c++)
                    a[c * across + r] = a[r * across + c];
}

static int run_products(Array *a)
{
    Py_ssize_t n = a[PX].rows, p = a[PX].columns, q = p + a[PY].columns, width = kernel->width;
    Py_ssize_t across = a[PRODUCTS].columns, panels = q / width + 1, rows = panel_rows(panels * width);
    Py_ssize_t size = rows * width, narrow = a[PX].narrow, weighted = a[PWEIGHTS].data != NULL;
    void *keep;
    double *shift = scratch(panels * width + (1 + weighted) * panels * size + rows + narrow * rows * p, &keep);
    if (!shift)
        return -1;
    double *right = shift + panels * width, *left = right + weighted * panels * size;
    double *w = left + panels * size, *wide = w + rows;
    memcpy(shift, whole(&a[SHIFT]), (size_t)q * sizeof *shift);
    for (Py_ssize_t i = 0; i < rows; i++) /* a column of ones, whose products are the sums */
        right[q / width * size + i * width + q % width] = 1.0;
    for (Py_ssize_t first = 0; first < n; first += rows) {
        Py_ssize_t m = n - first < rows ? n - first : rows;
        panels_of(&a[PX], &a[PY], first, m, size, shift, right, wide);
        if (weighted) {
            column(&a[PWEIGHTS], first, m, 0, 0.0, w, 1);
            for (Py_ssize_t c = 0; c < panels; c++)
                kernel->weigh(m, right + c * size, w, left + c * size);
        }
        kernel->block(m, panels, q % width + 1, size, left, right, whole(&a[PRODUCTS]), across);
    }
    mirror(whole(&a[PRODUCTS]), q + 1, across);
    free(keep);
    return 0;
}

static PyObject *products(PyObject *module, PyObject *arguments)
{
    Array a[PRODUCT_ARRAYS];
    (void)module;
    int status = get_all(arguments, a, PRODUCT_ARRAYS, 1);
    Py_ssize_t n = a[PX].rows, q = a[PX].columns + a[PY].columns, across = (q / 8 + 1) * 8;
    if (!status
        && (!a[PX].data || !a[PY].data || !whole(&a[SHIFT]) || !whole(&a[PRODUCTS]) || !is(&a[PY], n, a[PY].columns)
            || !is(&a[SHIFT], q, 1) || !is(&a[PWEIGHTS], n, 1) || !is(&a[PRODUCTS], across, across)))
        status = refuse();
    if (!status) {
        Py_BEGIN_ALLOW_THREADS
        status = run_products(a);
        Py_END_ALLOW_THREADS
        if (status)
            PyErr_NoMemory();
    }
    return finish(a, PRODUCT_ARRAYS, status);
}

/* ---- odds ------------------------------------------------------------------------------------------------------------ */

enum { OX, OY, OWEIGHTS, OSHIFT, OBETA, OTOTALS, OGRADIENT, OHESSIAN, ODDS_ARRAYS };
enum { ODDS_CACHE = 1280 }; /* numbers of x in a chunk, if it has rows enough to be worth reading all sums for it */

static double lanes_sum(const double *at)
{
    double sum = 0.0;
    for (int lane = 0; lane < kernel->width; lane++)
        sum += at[lane];
    return sum;
}

/* totals: the loss, the largest log-odds, and the weight of each class but the first. */
static void totals_out(const Odds *o, double *totals)
{
    const double *from = o->totals + kernel->width;
    totals[0] = lanes_sum(o->totals), totals[1] = 0.0;
    for (const double *end = from + kernel->width; from < end; from++)
        if (!(*from <= totals[1]))
            totals[1] = *from;
    for (Py_ssize_t c = 0; c < o->k; c++)
        totals[2 + c] = lanes_sum(from + c * kernel->width);
}

/* Σ spread · [1 x] [1 x]ᵀ as a block of the Hessian, whose rows are `line` apart. */
static void curvature_out(const Odds *o, const double *sums, double *block, Py_ssize_t line)
{
    Py_ssize_t p = o->p, w = kernel->width;
    const double *products = sums + (1 + o->across) * w;
    for (Py_ssize_t j = 0; j <= p; j++)
        block[j] = block[j * line] = lanes_sum(sums + j * w);
    for (Py_ssize_t i = 0; i < p; i++)
        for (Py_ssize_t j = i; j < p; j++)
            block[(1 + i) * line + 1 + j] = lanes_sum(products + (i * o->across + j) * w);
    for (Py_ssize_t i = 0; i < p; i++)
        for (Py_ssize_t j = i; j < p; j++)
            block[(1 + j) * line + 1 + i] = block[(1 + i) * line + 1 + j];
}

/* Numbers that one pair of classes has in `products`. */
static Py_ssize_t pair_size(const Odds *o)
{
    return (1 + o->across + o->across * o->across) * kernel->width;
}

/* Room for a chunk and for sums, all of them 0, and behind it for rows that are not float64. */
static double *odds_room(Odds *o, Py_ssize_t pairs, void **keep)
{
    Py_ssize_t tile = kernel->tile, lanes = kernel->width, rows = ODDS_CACHE / (o->p ? o->p : 1) / 32 * 32;
    Py_ssize_t least = pairs ? 128 : 64;
    o->rows = rows = rows > 256 ? 256 : rows < least ? least : rows;
    o->across = (o->p + tile - 1) / tile * tile;
    Py_ssize_t gradient = o->k * (1 + o->across) * lanes, products = pairs * pair_size(o);
    double *at = scratch(rows * (o->across + tile + 3 + 2 * o->k + o->p) + (2 + o->k) * lanes + gradient + products,
                         keep);
    if (!at)
        return NULL;
    o->x = at, at += rows * o->across;
    o->right = at, at += rows * tile;
    o->y = at, o->w = at + rows, o->spread = at + 2 * rows, at += 3 * rows;
    o->share = at, at += rows * o->k;
    o->residual = at, at += rows * o->k;
    o->totals = at, at += (2 + o->k) * lanes;
    o->gradient = at, at += gradient;
    o->products = at, at += products;
    return at;
}

static void gradient_out(const Odds *o, double *gradient)
{
    for (Py_ssize_t c = 0; c < o->k; c++)
        for (Py_ssize_t j = 0; j <= o->p; j++)
            *gradient++ = lanes_sum(o->gradient + (c * (1 + o->across) + j) * kernel->width);
}

/* hessian (k q, k q) */
static void hessian_out(const Odds *o, double *hessian)
{
    Py_ssize_t q = 1 + o->p, line = o->k * q;
    const double *sums = o->products;
    for (Py_ssize_t c = 0; c < o->k; c++)
        for (Py_ssize_t d = 0; d <= c; d++, sums += pair_size(o)) {
            curvature_out(o, sums, hessian + c * q * line + d * q, line);
            curvature_out(o, sums, hessian + d * q * line + c * q, line);
        }
}

static int run_odds(Array *a)
{
    Py_ssize_t n = a[OX].rows, p = a[OX].columns, k = a[OBETA].rows;
    int squares = a[OHESSIAN].data != NULL;
    const double *shift = whole(&a[OSHIFT]);
    Odds o = {.p = p, .k = k, .beta = whole(&a[OBETA])};
    void *keep;
    double *wide = odds_room(&o, squares ? k * (k + 1) / 2 : 0, &keep);
    if (!wide)
        return -1;
    for (Py_ssize_t first = 0; first < n; first += o.rows) {
        Py_ssize_t m = n - first < o.rows ? n - first : o.rows;
        columns_of(&a[OX], first, m, o.rows, o.x, wide);
        for (Py_ssize_t j = 0; j < p; j++)
            for (Py_ssize_t i = 0; i < m && shift[j] != 0.0; i++)
                o.x[j * o.rows + i] -= shift[j];
        target_of(&a[OY], first, m, o.rows, 0, o.y);
        if (!first || m < o.rows || a[OWEIGHTS].data)
            weights_of(&a[OWEIGHTS], first, m, o.rows, o.w);
        kernel->shares(&o);
        kernel->slopes(&o);
        double *sums = o.products;
        for (Py_ssize_t c = 0; c < k && squares; c++)
            for (Py_ssize_t d = 0; d <= c; d++, sums += pair_size(&o))
                kernel->curvature(&o, c, d, sums);
    }
    totals_out(&o, whole(&a[OTOTALS]));
    gradient_out(&o, whole(&a[OGRADIENT]));
    if (squares)
        hessian_out(&o, whole(&a[OHESSIAN]));
    free(keep);
    return 0;
}

static PyObject *odds(PyObject *module, PyObject *arguments)
{
    Array a[ODDS_ARRAYS];
    (void)module;
    int status = get_all(arguments, a, ODDS_ARRAYS, 3);
    Py_ssize_t n = a[OX].rows, p = a[OX].columns, k = a[OBETA].rows;
    if (!status
        && (!a[OX].data || !a[OY].data || !whole(&a[OSHIFT]) || !whole(&a[OBETA]) || !whole(&a[OTOTALS])
            || !whole(&a[OGRADIENT]) || (a[OHESSIAN].data && !whole(&a[OHESSIAN])) || !is(&a[OY], n, 1)
            || !is(&a[OWEIGHTS], n, 1) || !is(&a[OSHIFT], p, 1) || !is(&a[OBETA], k, 1 + p) || !is(&a[OTOTALS], 2 + k, 1)
            || !is(&a[OGRADIENT], k, 1 + p) || !is(&a[OHESSIAN], k * (1 + p), k * (1 + p))))
        status = refuse();
    if (!status) {
        Py_BEGIN_ALLOW_THREADS
        status = run_odds(a);
        Py_END_ALLOW_THREADS
        if (status)
            PyErr_NoMemory();
    }
    return finish(a, ODDS_ARRAYS, status);
}

/* ---- the module ---------------------------------------------------------------------------------------------------------- */

/* use(name) → the name of the kernel used until now. */
static PyObject *use(PyObject *module, PyObject *name)
{
    int before = 0, chosen = -1;
    PyObject *encoded = PyUnicode_AsUTF8String(name);
    (void)module;
    if (!encoded)
        return NULL;
    for (int i = 0; i < COUNT; i++) {
        if (KERNELS[i].kernel == kernel)
            before = i;
        if (!strcmp(KERNELS[i].name, PyBytes_AsString(encoded)) && runs(i))
            chosen = i;
    }
    Py_DECREF(encoded);
    if (chosen < 0)
        return PyErr_Format(PyExc_ValueError, "no such kernel here: %U", name);
    kernel = KERNELS[chosen].kernel;
    return PyUnicode_FromString(KERNELS[before].name);
}

static PyMethodDef METHODS[] = {
    {"gradient", gradient, METH_VARARGS, "See unbend.exact.gradient."},
    {"lengths", lengths, METH_VARARGS, "See unbend.exact.squared_lengths."},
    {"products", products, METH_VARARGS, "See unbend.exact.products."},
    {"odds", odds, METH_VARARGS, "See unbend.exact.odds."},
    {"use", use, METH_O, "Use the kernel of this name; returns the name of the one before."},
    {NULL, NULL, 0, NULL},
};

/* KERNELS: the names of those that run here; the last one is used. */
static int start(PyObject *module)
{
    PyObject *names = PyList_New(0);
    int status = names ? 0 : -1;
    for (int i = COUNT - 1; i >= 0 && !status; i--) {
        if (!runs(i))
            continue;
        kernel = KERNELS[i].kernel;
        PyObject *name = PyUnicode_FromString(KERNELS[i].name);
        status = name ? PyList_Append(names, name) : -1;
        Py_XDECREF(name);
    }
    if (!status && !kernel) {
        PyErr_SetString(PyExc_ImportError, "the processor has none of the instruction sets that the passes are for");
        status = -1;
    }
    if (!status)
        status = PyModule_AddObjectRef(module, "KERNELS", names);
    Py_XDECREF(names);
    return status;
}

static PyModuleDef_Slot SLOTS[] = {{Py_mod_exec, start}, {0, NULL}};

static PyModuleDef MODULE = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "unbend.exact._passes",
    .m_doc = "Compiled passes over rows.",
    .m_methods = METHODS,
    .m_slots = SLOTS,
};

PyMODINIT_FUNC PyInit__passes(void)
{
    return PyModuleDef_Init(&MODULE);
}
