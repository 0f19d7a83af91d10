/* Compiled passes over rows: `gradient` in two parts, and `products` of shifted columns.

   A chunk of rows is read from arrays of any strides, float32 or float64, into a buffer in cache, and a kernel works on
   that (_kernel.h). The kernel is chosen when the module is loaded, by what the processor has. Arguments are checked by
   the Python functions that call this module; here only what memory safety needs. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__GNUC__)
#error "needs the vector types of GCC and Clang; without the compiled passes NumPy does their work"
#endif

/* Rows of a chunk, column after column: x is (p, rows); the others are of one target, (rows). */
typedef struct {
    Py_ssize_t rows, p;
    double *x, *x_low, *y, *y_low, *w, *r, *r_low, *wr, *wr_low;
} Chunk;

typedef struct {
    int width;
    void (*chunk)(const Chunk *, const double *b0, const double *b, double *sums);
    void (*settle)(double *sums, Py_ssize_t count);
    void (*block)(Py_ssize_t n, Py_ssize_t panels, Py_ssize_t panel, const double *a, const double *b, double *out);
    void (*panel)(Py_ssize_t n, const char *x, Py_ssize_t row, const double *shift, double *to);
    void (*weigh)(Py_ssize_t n, const double *from, const double *w, double *to, double *sums);
} Kernel;

#if defined(__x86_64__)
#include <immintrin.h>

#define NAME(f) f##_avx512
#define TARGET __attribute__((target("avx512f")))
#define VD __m512d
#define W 8
#define SET1 _mm512_set1_pd
#define FMA _mm512_fmadd_pd
#include "_kernel.h"
#undef NAME
#undef TARGET
#undef VD
#undef W
#undef SET1
#undef FMA

#define NAME(f) f##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VD __m256d
#define W 4
#define SET1 _mm256_set1_pd
#define FMA _mm256_fmadd_pd
#include "_kernel.h"

static const struct { const char *name; const Kernel *kernel; } KERNELS[] = {
    {"avx512", &kernel_avx512},
    {"avx2", &kernel_avx2},
};

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
#include "_kernel.h"

static const struct { const char *name; const Kernel *kernel; } KERNELS[] = {{"neon", &kernel_neon}};

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
    int narrow;
} Array;

static int get(PyObject *object, Array *array, int writable)
{
    memset(array, 0, sizeof *array);
    if (object == Py_None)
        return 0;
    if (PyObject_GetBuffer(object, &array->buffer, PyBUF_STRIDES | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0)))
        return -1;
    const char *format = array->buffer.format;
    array->narrow = format && !strcmp(format, "f");
    int ndim = array->buffer.ndim;
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

static void release(Array *arrays, int count)
{
    for (int i = 0; i < count; i++)
        if (arrays[i].buffer.obj)
            PyBuffer_Release(&arrays[i].buffer);
}

static int is(const Array *array, Py_ssize_t rows, Py_ssize_t columns)
{
    return !array->data || (array->rows == rows && array->columns == columns);
}

/* A float64 array whose numbers lie one after the other. */
static double *whole(const Array *array)
{
    Py_ssize_t size = (Py_ssize_t)sizeof(double), across = array->columns * size;
    if (array->rows * array->columns == 0)
        return (double *)array->data;
    int packed = array->data && !array->narrow && (array->columns <= 1 || array->column == size)
                 && (array->rows <= 1 || array->row == (array->column ? across : size));
    return packed ? (double *)array->data : NULL;
}

/* The numbers (first … first + n, j) into to[0], to[step], …, less `shift`. */
static void column(const Array *a, Py_ssize_t first, Py_ssize_t n, Py_ssize_t j, double shift, double *to,
                   Py_ssize_t step)
{
    const char *from = a->data + first * a->row + j * a->column;
    if (a->narrow) {
        for (Py_ssize_t i = 0; i < n; i++, from += a->row) {
            float value;
            memcpy(&value, from, sizeof value);
            to[i * step] = (double)value - shift;
        }
    } else {
        for (Py_ssize_t i = 0; i < n; i++, from += a->row) {
            double value;
            memcpy(&value, from, sizeof value);
            to[i * step] = value - shift;
        }
    }
}

static double *scratch(Py_ssize_t count, void **keep)
{
    *keep = calloc((size_t)count + 8, sizeof(double));
    return *keep ? (double *)(((size_t)*keep + 63) & ~(size_t)63) : NULL;
}

/* ---- gradient --------------------------------------------------------------------------------------------------------- */

enum { X, Y, B0, B, WEIGHTS, X_LOW, Y_LOW, RESIDUALS, SUMS, GRADIENT_ARRAYS };
enum { FIRST_CACHE = 4096, SETTLE = 1024 }; /* numbers of x in a chunk; rows after which sums are renormalised */

static Py_ssize_t chunk_rows(Py_ssize_t p)
{
    Py_ssize_t rows = 256;
    while (rows > 32 && rows * p > FIRST_CACHE)
        rows /= 2;
    return p > 2048 ? 8 : rows;
}

/* Four or eight rows at a time, so that the numbers of a row are read together. */
static void columns_of(const Array *a, Py_ssize_t first, Py_ssize_t n, Py_ssize_t rows, double *to)
{
    if (!a->data)
        return;
    if (a->row >= 0 && a->row < a->column) {
        for (Py_ssize_t j = 0; j < a->columns; j++)
            column(a, first, n, j, 0.0, to + j * rows, 1);
    } else
        for (Py_ssize_t i = 0; i < n; i += 8)
            for (Py_ssize_t j = 0; j < a->columns; j++)
                column(a, first + i, n - i < 8 ? n - i : 8, j, 0.0, to + j * rows + i, 1);
    if (n < rows)
        for (Py_ssize_t j = 0; j < a->columns; j++)
            memset(to + j * rows + n, 0, (size_t)(rows - n) * sizeof(double));
}

static void read_target(const Array *a, Py_ssize_t first, Py_ssize_t n, Py_ssize_t rows, Py_ssize_t t, double *to)
{
    if (a->data)
        column(a, first, n, t, 0.0, to, 1);
    memset(to + n, 0, (size_t)(rows - n) * sizeof(double));
}

static void write_residuals(const Array *a, Py_ssize_t first, Py_ssize_t n, Py_ssize_t t, const double *from)
{
    char *to = (char *)a->data + first * a->row + t * a->column;
    for (Py_ssize_t i = 0; i < n; i++, to += a->row)
        memcpy(to, from + i, sizeof *from);
}

/* Sums of the lanes, two numbers for each of `count` sums. */
static void across_lanes(const double *sums, Py_ssize_t count, double *out)
{
    int width = kernel->width;
    for (Py_ssize_t i = 0; i < count; i++, sums += 2 * width) {
        double hi = 0.0, lo = 0.0;
        for (int lane = 0; lane < width; lane++) {
            volatile double sum = hi + sums[lane], moved = sum - hi;
            lo += (hi - (sum - moved)) + (sums[lane] - moved) + sums[width + lane];
            hi = sum;
        }
        volatile double sum = hi + lo, moved = sum - hi;
        out[2 * i] = sum;
        out[2 * i + 1] = (hi - (sum - moved)) + (lo - moved);
    }
}

static int run_gradient(Array *a)
{
    Py_ssize_t n = a[X].rows, p = a[X].columns, k = a[B0].rows, rows = chunk_rows(p);
    Py_ssize_t low = a[X_LOW].data ? 1 : 0, count = 2 + p, width = 2 * kernel->width;
    void *keep;
    double *at = scratch(rows * p * (1 + low) + 7 * rows + k * count * width, &keep);
    if (!at)
        return -1;
    double *sums = at;
    at += k * count * width;
    Chunk c = {.rows = rows, .p = p, .x = at, .x_low = low ? at + rows * p : NULL};
    at += rows * p * (1 + low);
    c.y = at, c.y_low = at + rows, c.w = at + 2 * rows, c.r = at + 3 * rows, c.r_low = at + 4 * rows;
    c.wr = at + 5 * rows, c.wr_low = at + 6 * rows;
    for (Py_ssize_t first = 0; first < n; first += rows) {
        Py_ssize_t m = n - first < rows ? n - first : rows;
        columns_of(&a[X], first, m, rows, c.x);
        columns_of(&a[X_LOW], first, m, rows, c.x_low);
        read_target(&a[WEIGHTS], first, m, rows, 0, c.w);
        for (Py_ssize_t i = 0; i < m && !a[WEIGHTS].data; i++)
            c.w[i] = 1.0;
        for (Py_ssize_t t = 0; t < k; t++) {
            read_target(&a[Y], first, m, rows, t, c.y);
            read_target(&a[Y_LOW], first, m, rows, t, c.y_low);
            kernel->chunk(&c, whole(&a[B0]) + 2 * t, whole(&a[B]) + 2 * p * t, sums + t * count * width);
            if (a[RESIDUALS].data)
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
    PyObject *objects[GRADIENT_ARRAYS];
    Array a[GRADIENT_ARRAYS];
    int status = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOOOOOOOO:gradient", &objects[X], &objects[Y], &objects[B0], &objects[B],
                          &objects[WEIGHTS], &objects[X_LOW], &objects[Y_LOW], &objects[RESIDUALS], &objects[SUMS]))
        return NULL;
    memset(a, 0, sizeof a);
    for (int i = 0; i < GRADIENT_ARRAYS && !status; i++)
        status = get(objects[i], &a[i], i >= RESIDUALS);
    if (!status) {
        Py_ssize_t n = a[X].rows, p = a[X].columns, k = a[B0].rows;
        if (!a[X].data || !whole(&a[B0]) || !whole(&a[B]) || !whole(&a[SUMS]) || a[RESIDUALS].narrow || !is(&a[Y], n, k)
            || !is(&a[B0], k, 2) || !is(&a[B], k, 2 * p) || !is(&a[WEIGHTS], n, 1) || !is(&a[X_LOW], n, p)
            || !is(&a[Y_LOW], n, k) || !is(&a[RESIDUALS], n, k) || !is(&a[SUMS], k, 2 * (2 + p))) {
            PyErr_SetString(PyExc_ValueError, "the arrays do not fit together");
            status = -1;
        }
    }
    if (!status) {
        Py_BEGIN_ALLOW_THREADS
        status = run_gradient(a);
        Py_END_ALLOW_THREADS
        if (status)
            PyErr_NoMemory();
    }
    release(a, GRADIENT_ARRAYS);
    return status ? NULL : Py_NewRef(Py_None);
}

/* ---- products ----------------------------------------------------------------------------------------------------------- */

enum { PX, PY, SHIFT, PWEIGHTS, PSUMS, PRODUCTS, PRODUCT_ARRAYS };

/* `n` rows of all columns into panels of W columns each, less their shifts. */
static void panels_of(const Array *x, const Array *y, Py_ssize_t first, Py_ssize_t n, Py_ssize_t size,
                      const double *shift, double *to)
{
    int width = kernel->width;
    Py_ssize_t j = 0, p = x->columns;
    if (!x->narrow && x->column == (Py_ssize_t)sizeof(double))
        for (; j + width <= p; j += width)
            kernel->panel(n, x->data + first * x->row + j * x->column, x->row, shift + j, to + j / width * size);
    for (; j < p + y->columns; j++) {
        double *lane = to + j / width * size + j % width;
        if (j < p)
            column(x, first, n, j, shift[j], lane, width);
        else
            column(y, first, n, j - p, shift[j], lane, width);
    }
}

static int run_products(Array *a)
{
    Py_ssize_t n = a[PX].rows, q = a[PX].columns + a[PY].columns, width = kernel->width;
    Py_ssize_t panels = (q + width - 1) / width, across = panels * width;
    Py_ssize_t rows = 16384 / (across ? across : 1);
    rows = rows > 384 ? 384 : rows < 96 ? (q > 1000 ? 384 : 96) : rows;
    Py_ssize_t size = rows * width, weighted = a[PWEIGHTS].data ? 1 : 0;
    void *keep;
    double *at = scratch(across * (across + 2) + across * rows * (1 + weighted) + rows, &keep);
    if (!at)
        return -1;
    double *products = at, *sums = products + across * across, *shift = sums + across, *right = shift + across;
    double *left = right + across * rows * weighted, *w = left + across * rows;
    memcpy(shift, whole(&a[SHIFT]), (size_t)q * sizeof(double));
    for (Py_ssize_t first = 0; first < n; first += rows) {
        Py_ssize_t m = n - first < rows ? n - first : rows;
        panels_of(&a[PX], &a[PY], first, m, size, shift, right);
        if (weighted)
            column(&a[PWEIGHTS], first, m, 0, 0.0, w, 1);
        for (Py_ssize_t c = 0; c < panels; c++)
            kernel->weigh(m, right + c * size, weighted ? w : NULL, left + c * size, sums + c * width);
        kernel->block(m, panels, size, left, right, products);
    }
    memcpy(whole(&a[PSUMS]), sums, (size_t)q * sizeof(double));
    double *out = whole(&a[PRODUCTS]);
    for (Py_ssize_t i = 0; i < q; i++)
        for (Py_ssize_t j = i; j < q; j++)
            out[i * q + j] = out[j * q + i] = products[i * across + j];
    free(keep);
    return 0;
}

static PyObject *products(PyObject *module, PyObject *arguments)
{
    PyObject *objects[PRODUCT_ARRAYS];
    Array a[PRODUCT_ARRAYS];
    int status = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOOOOO:products", &objects[PX], &objects[PY], &objects[SHIFT], &objects[PWEIGHTS],
                          &objects[PSUMS], &objects[PRODUCTS]))
        return NULL;
    memset(a, 0, sizeof a);
    for (int i = 0; i < PRODUCT_ARRAYS && !status; i++)
        status = get(objects[i], &a[i], i >= PSUMS);
    if (!status) {
        Py_ssize_t n = a[PX].rows, q = a[PX].columns + a[PY].columns;
        if (!a[PX].data || !a[PY].data || !whole(&a[SHIFT]) || !whole(&a[PSUMS]) || !whole(&a[PRODUCTS])
            || !is(&a[PY], n, a[PY].columns) || !is(&a[SHIFT], q, 1) || !is(&a[PWEIGHTS], n, 1) || !is(&a[PSUMS], q, 1)
            || !is(&a[PRODUCTS], q, q)) {
            PyErr_SetString(PyExc_ValueError, "the arrays do not fit together");
            status = -1;
        }
    }
    if (!status) {
        Py_BEGIN_ALLOW_THREADS
        status = run_products(a);
        Py_END_ALLOW_THREADS
        if (status)
            PyErr_NoMemory();
    }
    release(a, PRODUCT_ARRAYS);
    return status ? NULL : Py_NewRef(Py_None);
}

/* ---- the module ---------------------------------------------------------------------------------------------------------- */

/* use(name) → the name of the kernel used until now; for tests. */
static PyObject *use(PyObject *module, PyObject *name)
{
    (void)module;
    int before = 0, chosen = -1;
    PyObject *encoded = PyUnicode_AsUTF8String(name);
    if (!encoded)
        return NULL;
    const char *text = PyBytes_AsString(encoded);
    for (int i = 0; i < COUNT; i++) {
        if (KERNELS[i].kernel == kernel)
            before = i;
        if (!strcmp(KERNELS[i].name, text) && runs(i))
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
    {"products", products, METH_VARARGS, "See unbend.exact.products."},
    {"use", use, METH_O, "Use the kernel of this name; returns the name of the one before."},
    {NULL, NULL, 0, NULL},
};

static int start(PyObject *module)
{
    PyObject *names = PyList_New(0);
    if (!names)
        return -1;
    kernel = NULL;
    for (int i = COUNT - 1; i >= 0; i--) {
        if (!runs(i))
            continue;
        kernel = KERNELS[i].kernel;
        PyObject *name = PyUnicode_FromString(KERNELS[i].name);
        if (!name || PyList_Append(names, name)) {
            Py_XDECREF(name);
            Py_DECREF(names);
            return -1;
        }
        Py_DECREF(name);
    }
    if (!kernel) {
        Py_DECREF(names);
        PyErr_SetString(PyExc_ImportError, "the processor has none of the instruction sets that the passes are for");
        return -1;
    }
    return PyModule_AddObjectRef(module, "KERNELS", names) || (Py_DECREF(names), 0);
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
