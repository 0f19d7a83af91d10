/* The sums of logistic regression over a chunk of rows for one instruction set: rows in lanes, x column after column.

   Included by _kernel.h; the buffers are `Odds` (_passes.c). Rows that fill the last vector have weight 0, columns that
   fill the last tile are 0. */

enum { NAME(TILE) = W == 4 ? 3 : 4 }; /* columns; as many sums as there are registers for are its square */

typedef long long NAME(Bits) __attribute__((vector_size(W * 8)));

/* exp x to about one unit in the last place for x from −708 to 0, and 0 below. */
INLINE VD NAME(exp)(VD x)
{
    static const double FACTORIALS[] = {
        1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
        1.0 / 720,       1.0 / 120,      1.0 / 24,      1.0 / 6,      0.5,         1.0,
    };
    NAME(Bits) near = (NAME(Bits))(x >= SET1(-708.0));
    x = (VD)((NAME(Bits))x & near);
    VD shifted = FMA(x, SET1(1.4426950408889634), SET1(0x1.8p52)), power = shifted - SET1(0x1.8p52);
    VD r = FMA(power, SET1(-0x1.abc9e3b39803fp-56), FMA(power, SET1(-0x1.62e42fefa39efp-1), x));
    VD e = SET1(1.0 / 6227020800.0);
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++)
        e = FMA(e, r, SET1(FACTORIALS[i]));
    e = FMA(e, r, SET1(1.0));
    VD two = (VD)(((NAME(Bits))shifted + 1023) << 52);
    return (VD)((NAME(Bits))(e * two) & near);
}

/* log x to about two units in the last place of the larger of it and 1, for finite x from 1. `power` of two takes x to
   between the roots of ½ and 2. */
INLINE VD NAME(log)(VD x)
{
    static const double ODD[] = {1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13,
                                 1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3};
    NAME(Bits) bits = (NAME(Bits))x, power = (bits - 0x3fe6a09e667f3bcd) >> 52;
    VD m = (VD)(bits - (power << 52)), one = SET1(1.0), z = (m - one) / (m + one), square = z * z;
    VD series = SET1(1.0 / 23);
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++)
        series = FMA(series, square, SET1(ODD[i]));
    VD twos = (VD)(power + 0x4338000000000000) - SET1(0x1.8p52), twice = z + z;
    return FMA(twos, SET1(0x1.62e42fefa39efp-1), FMA(twice * square, series, twice));
}

INLINE VD NAME(select)(NAME(Bits) mask, VD yes, VD no)
{
    return (VD)(((NAME(Bits))yes & mask) | ((NAME(Bits))no & ~mask));
}

INLINE VD NAME(larger)(VD a, VD b)
{
    return NAME(select)((NAME(Bits))(a > b), a, b);
}

/* share = the scores b0 + b·x of `groups` vectors of rows from row i for class c. */
INLINE void NAME(scores)(const Odds *o, Py_ssize_t c, Py_ssize_t i, const int groups)
{
    const double *b = o->beta + c * (1 + o->p), *x = o->x + i;
    VD score[4];
    for (int g = 0; g < groups; g++)
        score[g] = SET1(b[0]);
    for (Py_ssize_t j = 0; j < o->p; j++, x += o->rows) {
        VD factor = SET1(b[1 + j]);
        for (int g = 0; g < groups; g++)
            score[g] = FMA(NAME(load)(x + g * W), factor, score[g]);
    }
    for (int g = 0; g < groups; g++)
        NAME(store)(o->share + c * o->rows + i + g * W, score[g]);
}

/* Add a loss and the largest log-odds of rows of weight w. */
INLINE void NAME(count)(const Odds *o, VD w, VD loss, VD size)
{
    VD seen = NAME(select)((NAME(Bits))(w > SET1(0.0)), size, SET1(0.0)), before = NAME(load)(o->totals + W);
    NAME(store)(o->totals, FMA(w, loss, NAME(load)(o->totals)));
    NAME(store)(o->totals + W, NAME(select)((NAME(Bits))(seen <= before), before, seen));
}

/* Two classes: residuals, and the weights of the Hessian. */
INLINE void NAME(share_of_two)(const Odds *o, Py_ssize_t i)
{
    VD one = SET1(1.0), zero = SET1(0.0), score = NAME(load)(o->share + i);
    VD y = NAME(load)(o->y + i), w = NAME(load)(o->w + i);
    NAME(Bits) positive = (NAME(Bits))(score > zero);
    VD size = NAME(select)(positive, score, -score);
    VD odds = NAME(exp)(-size), far = one / (one + odds), near = odds * far;
    NAME(count)(o, w, NAME(select)(positive, score, zero) - y * score + NAME(log)(one + odds), size);
    NAME(store)(o->totals + 2 * W, FMA(w, y, NAME(load)(o->totals + 2 * W)));
    VD share = NAME(select)(positive, far, near), rest = NAME(select)(positive, near, far);
    NAME(store)(o->residual + i, w * NAME(select)((NAME(Bits))(y == one), -rest, share));
    NAME(store)(o->spread + i, w * far * near);
}

/* More classes: shares and residuals, that of a row's own class from the others: 1 less what is nearly 1 has few digits. */
INLINE void NAME(share_of_many)(const Odds *o, Py_ssize_t i)
{
    VD top = SET1(0.0), low = top, own = top, y = NAME(load)(o->y + i), w = NAME(load)(o->w + i);
    for (Py_ssize_t c = 0; c < o->k; c++) {
        VD score = NAME(load)(o->share + c * o->rows + i);
        own = NAME(select)((NAME(Bits))(y == SET1(1.0 + c)), score, own);
        top = NAME(select)((NAME(Bits))(score <= top), top, score);
        low = NAME(select)((NAME(Bits))(score >= low), low, score);
    }
    VD sum = NAME(exp)(-top), others = NAME(select)((NAME(Bits))(y == SET1(0.0)), SET1(0.0), sum);
    for (Py_ssize_t c = 0; c < o->k; c++) {
        VD odds = NAME(exp)(NAME(load)(o->share + c * o->rows + i) - top);
        sum = sum + odds;
        others = others + NAME(select)((NAME(Bits))(y == SET1(1.0 + c)), SET1(0.0), odds);
        NAME(store)(o->share + c * o->rows + i, odds);
    }
    NAME(count)(o, w, top - own + NAME(log)(sum), top - low);
    for (Py_ssize_t c = 0; c < o->k; c++) {
        VD share = NAME(load)(o->share + c * o->rows + i) / sum;
        NAME(Bits) is = (NAME(Bits))(y == SET1(1.0 + c));
        double *total = o->totals + (2 + c) * W;
        NAME(store)(total, NAME(load)(total) + NAME(select)(is, w, SET1(0.0)));
        NAME(store)(o->share + c * o->rows + i, share);
        NAME(store)(o->residual + c * o->rows + i, w * NAME(select)(is, -others / sum, share));
    }
}

FN void NAME(shares)(const Odds *o)
{
    for (Py_ssize_t c = 0; c < o->k; c++)
        for (Py_ssize_t i = 0; i < o->rows; i += 4 * W)
            NAME(scores)(o, c, i, 4);
    for (Py_ssize_t i = 0; i < o->rows; i += W)
        if (o->k == 1)
            NAME(share_of_two)(o, i);
        else
            NAME(share_of_many)(o, i);
}

/* sums += Σ residual · [1 x] for class c, four columns at a time: each sum waits for itself. */
INLINE void NAME(slope)(const Odds *o, Py_ssize_t c)
{
    const double *residual = o->residual + c * o->rows;
    double *sums = o->gradient + c * (1 + o->across) * W;
    VD total = NAME(load)(sums);
    for (Py_ssize_t i = 0; i < o->rows; i += W)
        total = total + NAME(load)(residual + i);
    NAME(store)(sums, total);
    for (Py_ssize_t j = 0; j < o->across; j += NAME(TILE)) {
        VD sum[NAME(TILE)];
        for (int u = 0; u < NAME(TILE); u++)
            sum[u] = NAME(load)(sums + (1 + j + u) * W);
        for (Py_ssize_t i = 0; i < o->rows; i += W)
            for (int u = 0; u < NAME(TILE); u++)
                sum[u] = FMA(NAME(load)(o->x + (j + u) * o->rows + i), NAME(load)(residual + i), sum[u]);
        for (int u = 0; u < NAME(TILE); u++)
            NAME(store)(sums + (1 + j + u) * W, sum[u]);
    }
}

FN void NAME(slopes)(const Odds *o)
{
    for (Py_ssize_t c = 0; c < o->k; c++)
        NAME(slope)(o, c);
}

/* right = spread · x for a tile of columns from column j, and their sums on top of `totals`. */
INLINE void NAME(weighted)(const Odds *o, Py_ssize_t j, double *totals)
{
    enum { T = NAME(TILE) };
    VD sum[T];
    for (int u = 0; u < T; u++)
        sum[u] = NAME(load)(totals + u * W);
    for (Py_ssize_t i = 0; i < o->rows; i += W)
        for (int u = 0; u < T; u++) {
            VD value = NAME(load)(o->x + (j + u) * o->rows + i) * NAME(load)(o->spread + i);
            NAME(store)(o->right + u * o->rows + i, value);
            sum[u] = sum[u] + value;
        }
    for (int u = 0; u < T; u++)
        NAME(store)(totals + u * W, sum[u]);
}

/* A tile of Σ right xᵀ from column b of x; W lanes for each number. */
INLINE void NAME(tile_of)(const Odds *o, Py_ssize_t b, double *products)
{
    enum { T = NAME(TILE) };
    VD sum[T][T];
    for (int u = 0; u < T; u++)
        for (int v = 0; v < T; v++)
            sum[u][v] = NAME(load)(products + (u * o->across + v) * W);
    for (Py_ssize_t i = 0; i < o->rows; i += W) {
        VD left[T];
        for (int u = 0; u < T; u++)
            left[u] = NAME(load)(o->right + u * o->rows + i);
        for (int v = 0; v < T; v++) {
            VD x = NAME(load)(o->x + (b + v) * o->rows + i);
            for (int u = 0; u < T; u++)
                sum[u][v] = FMA(left[u], x, sum[u][v]);
        }
    }
    for (int u = 0; u < T; u++)
        for (int v = 0; v < T; v++)
            NAME(store)(products + (u * o->across + v) * W, sum[u][v]);
}

/* sums += Σ spread · [1 x] and, after these, Σ spread · x xᵀ on and above the diagonal of tiles, for classes c and d. */
FN void NAME(curvature)(const Odds *o, Py_ssize_t c, Py_ssize_t d, double *sums)
{
    enum { T = NAME(TILE) };
    VD same = SET1(c == d), sum = NAME(load)(sums);
    const double *of_c = o->share + c * o->rows, *of_d = o->share + d * o->rows;
    for (Py_ssize_t i = 0; i < o->rows; i += W) {
        if (o->k > 1)
            NAME(store)(o->spread + i, NAME(load)(o->w + i) * NAME(load)(of_c + i) * (same - NAME(load)(of_d + i)));
        sum = sum + NAME(load)(o->spread + i);
    }
    NAME(store)(sums, sum);
    double *products = sums + (1 + o->across) * W;
    for (Py_ssize_t a = 0; a < o->across; a += T) {
        NAME(weighted)(o, a, sums + (1 + a) * W);
        for (Py_ssize_t b = a; b < o->across; b += T)
            NAME(tile_of)(o, b, products + (a * o->across + b) * W);
    }
}
