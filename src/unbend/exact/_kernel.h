/* The passes over rows for one instruction set.

   Included once for each, with
     NAME(f)   f with the set's suffix
     TARGET    the attribute that lets the compiler use the set
     VD, W     a vector of doubles and how many it holds
     SET1, FMA a number in every lane, and a·b + c rounded once
     LOW1, HIGH1, LOW2, …  the lanes of two vectors that the steps of turning W rows into columns pick

   Both passes take a chunk of rows at a time into a buffer in cache, where strides, float32 and shifts are dealt with.
   Nothing here may be compiled with contraction or with a looser floating-point model: what a rounding left is part
   of the result. */

#define FN static TARGET
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE VD NAME(load)(const double *at) { VD v; memcpy(&v, at, sizeof v); return v; }
INLINE void NAME(store)(double *at, VD v) { memcpy(at, &v, sizeof v); }

/* hi + lo += a + below; what hi's rounding leaves is kept in lo. */
INLINE void NAME(add)(VD *hi, VD *lo, VD a, VD below)
{
    VD sum = *hi + a, moved = sum - *hi;
    *lo += ((*hi - (sum - moved)) + (a - moved)) + below;
    *hi = sum;
}

INLINE void NAME(renormalise)(VD *hi, VD *lo)
{
    VD sum = *hi + *lo, moved = sum - *hi;
    *lo = (*hi - (sum - moved)) + (*lo - moved);
    *hi = sum;
}

/* ---- gradient: rows in lanes ------------------------------------------------------------------------------------ */

/* Residuals of one target for `groups` vectors of rows from row `at` of the chunk; the coefficients are negated. */
INLINE void NAME(residuals)(const Chunk *c, Py_ssize_t at, const double *b0, const double *b, const int groups,
                            const int low)
{
    VD hi[4], lo[4];
    for (int g = 0; g < groups; g++) {
        hi[g] = NAME(load)(c->y + at + g * W);
        lo[g] = NAME(load)(c->y_low + at + g * W);
        NAME(add)(&hi[g], &lo[g], SET1(b0[0]), SET1(b0[1]));
    }
    for (Py_ssize_t j = 0; j < c->p; j++) {
        VD factor = SET1(b[2 * j]), rest = SET1(b[2 * j + 1]);
        for (int g = 0; g < groups; g++) {
            VD x = NAME(load)(c->x + j * c->apart + at + g * W);
            VD product = x * factor, error = FMA(x, rest, FMA(x, factor, -product));
            if (low)
                error = FMA(NAME(load)(c->x_low + j * c->apart + at + g * W), factor, error);
            NAME(add)(&hi[g], &lo[g], product, error);
        }
    }
    for (int g = 0; g < groups; g++) {
        VD w = NAME(load)(c->w + at + g * W);
        NAME(renormalise)(&hi[g], &lo[g]);
        VD product = w * hi[g], error = FMA(w, lo[g], FMA(w, hi[g], -product));
        NAME(store)(c->r + at + g * W, hi[g]);
        NAME(store)(c->r_low + at + g * W, lo[g]);
        NAME(renormalise)(&product, &error);
        NAME(store)(c->wr + at + g * W, product);
        NAME(store)(c->wr_low + at + g * W, error);
    }
}

/* sums: W numbers hi and W numbers lo for Σ w r, Σ w r², then for each column Σ w r x. */
INLINE void NAME(totals)(const Chunk *c, double *sums)
{
    VD hi = NAME(load)(sums), lo = NAME(load)(sums + W);
    VD hi2 = NAME(load)(sums + 2 * W), lo2 = NAME(load)(sums + 3 * W);
    for (Py_ssize_t i = 0; i < c->rows; i += W) {
        VD r = NAME(load)(c->r + i), r_low = NAME(load)(c->r_low + i);
        VD wr = NAME(load)(c->wr + i), wr_low = NAME(load)(c->wr_low + i);
        VD product = wr * r, error = FMA(wr_low, r, FMA(wr, r_low, FMA(wr, r, -product)));
        NAME(add)(&hi, &lo, wr, wr_low);
        NAME(add)(&hi2, &lo2, product, error);
    }
    NAME(store)(sums, hi), NAME(store)(sums + W, lo);
    NAME(store)(sums + 2 * W, hi2), NAME(store)(sums + 3 * W, lo2);
}

/* Σ w r x for `columns` columns from column j. */
INLINE void NAME(cross)(const Chunk *c, Py_ssize_t j, double *sums, const int columns, const int low)
{
    VD hi[4], lo[4];
    for (int q = 0; q < columns; q++)
        hi[q] = NAME(load)(sums + 2 * W * q), lo[q] = NAME(load)(sums + 2 * W * q + W);
    for (Py_ssize_t i = 0; i < c->rows; i += W) {
        VD wr = NAME(load)(c->wr + i), wr_low = NAME(load)(c->wr_low + i);
        for (int q = 0; q < columns; q++) {
            VD x = NAME(load)(c->x + (j + q) * c->apart + i);
            VD product = x * wr, error = FMA(x, wr_low, FMA(x, wr, -product));
            if (low)
                error = FMA(NAME(load)(c->x_low + (j + q) * c->apart + i), wr, error);
            NAME(add)(&hi[q], &lo[q], product, error);
        }
    }
    for (int q = 0; q < columns; q++)
        NAME(store)(sums + 2 * W * q, hi[q]), NAME(store)(sums + 2 * W * q + W, lo[q]);
}

INLINE void NAME(target)(const Chunk *c, const double *b0, const double *b, double *sums, const int low)
{
    Py_ssize_t i = 0, j = 0;
    for (; i + 4 * W <= c->rows; i += 4 * W)
        NAME(residuals)(c, i, b0, b, 4, low);
    for (; i < c->rows; i += W)
        NAME(residuals)(c, i, b0, b, 1, low);
    NAME(totals)(c, sums);
    for (; j + 4 <= c->p; j += 4)
        NAME(cross)(c, j, sums + 2 * W * (2 + j), 4, low);
    for (; j < c->p; j++)
        NAME(cross)(c, j, sums + 2 * W * (2 + j), 1, low);
}

FN void NAME(chunk)(const Chunk *c, const double *b0, const double *b, double *sums)
{
    if (c->x_low)
        NAME(target)(c, b0, b, sums, 1);
    else
        NAME(target)(c, b0, b, sums, 0);
}

FN void NAME(settle)(double *sums, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++, sums += 2 * W) {
        VD hi = NAME(load)(sums), lo = NAME(load)(sums + W);
        NAME(renormalise)(&hi, &lo);
        NAME(store)(sums, hi), NAME(store)(sums + W, lo);
    }
}

/* W columns of W rows that lie `row` bytes apart, turned: `count` of the columns go to to, to + apart, … */
INLINE void NAME(turn)(const char *from, Py_ssize_t row, Py_ssize_t ahead, double *to, Py_ssize_t apart,
                       Py_ssize_t count)
{
    VD r[W];
#pragma GCC unroll 8
    for (int i = 0; i < W; i++) {
        r[i] = NAME(load)((const double *)(from + i * row));
        __builtin_prefetch(from + i * row + ahead, 0, 2);
    }
#pragma GCC unroll 8
    for (int i = 0; i < W; i += 2) {
        VD a = r[i], b = r[i + 1];
        r[i] = SHUFFLE(a, b, LOW1), r[i + 1] = SHUFFLE(a, b, HIGH1);
    }
#if W > 2
#pragma GCC unroll 8
    for (int k = 0; k < W / 2; k++) {
        int i = k + (k & 2);
        VD a = r[i], b = r[i + 2];
        r[i] = SHUFFLE(a, b, LOW2), r[i + 2] = SHUFFLE(a, b, HIGH2);
    }
#endif
#if W > 4
#pragma GCC unroll 8
    for (int i = 0; i < W / 2; i++) {
        VD a = r[i], b = r[i + 4];
        r[i] = SHUFFLE(a, b, LOW4), r[i + 4] = SHUFFLE(a, b, HIGH4);
    }
#endif
#pragma GCC unroll 8
    for (int i = 0; i < W; i++)
        if (i < count)
            NAME(store)(to + i * apart, r[i]);
}

/* p columns of n rows, W rows at a time, as `turn`; returns how many rows it did. After the columns of a row it may
   read into the next rows, but not behind the last of `left` rows. */
FN Py_ssize_t NAME(columns)(const char *from, Py_ssize_t row, Py_ssize_t n, Py_ssize_t left, Py_ssize_t p, double *to,
                            Py_ssize_t apart)
{
    Py_ssize_t over = (W - p % W) % W * (Py_ssize_t)sizeof(double), i = 0;
    for (; i + W <= n && (left - i - W) * row >= over; i += W)
        for (Py_ssize_t j = 0; j < p; j += W)
            NAME(turn)(from + i * row + j * (Py_ssize_t)sizeof(double), row, n * row, to + j * apart + i, apart, p - j);
    return i;
}

/* ---- lengths: rows in lanes ----------------------------------------------------------------------------------------- */

/* Squares of `columns` coordinates of a vector of rows from row `at`, of which the first `deep` columns of x are made. */
INLINE VD NAME(squares)(const Chunk *c, Py_ssize_t at, Py_ssize_t deep, const double *root, Py_ssize_t k,
                        const int columns)
{
    VD u[4], total = SET1(0.0);
    for (int q = 0; q < columns; q++)
        u[q] = SET1(0.0);
    for (Py_ssize_t j = 0; j < deep; j++) {
        VD x = NAME(load)(c->x + j * c->apart + at);
        for (int q = 0; q < columns; q++)
            u[q] = FMA(x, SET1(root[j * k + q]), u[q]);
    }
    for (int q = 0; q < columns; q++)
        total = FMA(u[q], u[q], total);
    return total;
}

/* c->r = |(x − mean) root|² of each row; root (p, k), of which column q needs only the first deep[q] columns of x. */
FN void NAME(lengths)(const Chunk *c, const double *mean, const double *root, const Py_ssize_t *deep, Py_ssize_t k)
{
    for (Py_ssize_t j = 0; j < c->p; j++)
        for (Py_ssize_t i = 0; i < c->rows; i += W) {
            double *at = c->x + j * c->apart + i;
            NAME(store)(at, NAME(load)(at) - SET1(mean[j]));
        }
    for (Py_ssize_t i = 0; i < c->rows; i += W) {
        VD total = SET1(0.0);
        Py_ssize_t q = 0;
        for (; q + 4 <= k; q += 4)
            total += NAME(squares)(c, i, deep[q + 3], root + q, k, 4);
        for (; q < k; q++)
            total += NAME(squares)(c, i, deep[q], root + q, k, 1);
        NAME(store)(c->r + i, total);
    }
}

/* ---- products: columns in lanes, panels of W columns --------------------------------------------------------------- */

/* The tile (`high` rows, `wide` · W columns) of Σ b aᵀ over n rows; a is `wide` panels one after the other. */
INLINE void NAME(tile)(Py_ssize_t n, const double *a, Py_ssize_t panel, const double *b, double *out, Py_ssize_t across,
                       const int wide, const int high)
{
    VD sum[3][W];
    for (int u = 0; u < wide; u++)
        for (int v = 0; v < high; v++)
            sum[u][v] = SET1(0.0);
    for (Py_ssize_t i = 0; i < n; i++) {
        VD left[3];
        for (int u = 0; u < wide; u++)
            left[u] = NAME(load)(a + u * panel + i * W);
#pragma GCC unroll 8
        for (int v = 0; v < high; v++) {
            VD right = SET1(b[i * W + v]);
            for (int u = 0; u < wide; u++)
                sum[u][v] = FMA(left[u], right, sum[u][v]);
        }
    }
    for (int v = 0; v < high; v++)
        for (int u = 0; u < wide; u++)
            NAME(store)(out + v * across + u * W, NAME(load)(out + v * across + u * W) + sum[u][v]);
}

/* out (columns, columns) += Σ b aᵀ over n rows, on and above the diagonal; `panels` panels of W columns, of which the
   last has `live` columns that are not padding. */
FN void NAME(block)(Py_ssize_t n, Py_ssize_t panels, Py_ssize_t live, Py_ssize_t panel, const double *a,
                    const double *b, double *out, Py_ssize_t across)
{
    Py_ssize_t deep = 384 / W; /* so many panels of a stay in the second cache */
    for (Py_ssize_t first = 0; first < panels; first += deep) {
        Py_ssize_t last = first + deep < panels ? first + deep : panels;
        for (Py_ssize_t row = 0; row < last; row++) {
            double *line = out + row * W * across;
            const double *right = b + row * panel;
            for (Py_ssize_t col = row > first ? row : first; col < last; col += 3) {
                if (last - col >= 3)
                    NAME(tile)(n, a + col * panel, panel, right, line + col * W, across, 3, W);
                else if (last - col == 2)
                    NAME(tile)(n, a + col * panel, panel, right, line + col * W, across, 2, W);
                else if (row == panels - 1 && live <= W / 2)
                    NAME(tile)(n, a + col * panel, panel, right, line + col * W, across, 1, W / 2);
                else
                    NAME(tile)(n, a + col * panel, panel, right, line + col * W, across, 1, W);
            }
        }
    }
}

/* The first `live` of W columns of n rows into a panel, less their shift; the other lanes of the panel stay. */
FN void NAME(panel)(Py_ssize_t n, const char *x, Py_ssize_t row, const double *shift, int live, double *to)
{
    typedef long long Bits __attribute__((vector_size(W * sizeof(double))));
    Bits mask;
    for (int i = 0; i < W; i++)
        mask[i] = i < live ? -1 : 0;
    VD moved = NAME(load)(shift);
    for (Py_ssize_t i = 0; i < n; i++, to += W) {
        VD value = NAME(load)((const double *)(x + i * row)) - moved;
        if (live < W)
            value = (VD)(((Bits)value & mask) | ((Bits)NAME(load)(to) & ~mask));
        NAME(store)(to, value);
        __builtin_prefetch(x + (i + n) * row, 0, 2);
    }
}

/* to = w · from for n rows of a panel. */
FN void NAME(weigh)(Py_ssize_t n, const double *from, const double *w, double *to)
{
    for (Py_ssize_t i = 0; i < n; i++)
        NAME(store)(to + i * W, NAME(load)(from + i * W) * SET1(w[i]));
}

#include "_odds.h"

static const Kernel NAME(kernel) = {
    W, NAME(TILE), NAME(chunk), NAME(settle), NAME(columns), NAME(lengths), NAME(block), NAME(panel), NAME(weigh),
    NAME(shares), NAME(slopes), NAME(curvature),
};

#undef FN
#undef INLINE
