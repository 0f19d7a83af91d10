/* The sums of logistic regression over a chunk of rows for one instruction set: rows in lanes, x column after column.

   Included by _kernel.h; the buffers are `Odds` (_passes.c). Rows that fill the last vector have weight 0. */

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

INLINE VD NAME(select)(NAME(Bits) mask, VD yes, VD no)
{
    return (VD)(((NAME(Bits))yes & mask) | ((NAME(Bits))no & ~mask));
}

/* Residuals and weights of the Hessian from the scores b0 + b·x, and what is summed of them. */
FN void NAME(odds)(Odds *o)
{
    VD one = SET1(1.0), zero = SET1(0.0);
    VD loss = NAME(load)(o->totals), largest = NAME(load)(o->totals + W);
    VD residuals = NAME(load)(o->totals + 2 * W), spreads = NAME(load)(o->totals + 3 * W), product = one;
    for (Py_ssize_t i = 0; i < o->rows; i += W) {
        VD score = SET1(o->b0);
        for (Py_ssize_t j = 0; j < o->p; j++)
            score = FMA(NAME(load)(o->x + j * o->rows + i), SET1(o->b[j]), score);
        VD y = NAME(load)(o->y + i), w = NAME(load)(o->w + i);
        NAME(Bits) positive = (NAME(Bits))(score > zero);
        VD size = NAME(select)(positive, score, -score);
        VD odds = NAME(exp)(-size), far = one / (one + odds), near = odds * far;
        VD residual = w * (NAME(select)(positive, far, near) - y), spread = w * far * near;
        loss = loss + w * (NAME(select)(positive, score, zero) - y * score);
        if (o->weighted)
            NAME(store)(o->spread + i, one + odds);
        else
            product = product * NAME(select)((NAME(Bits))(w > zero), one + odds, one);
        size = size * NAME(select)((NAME(Bits))(w > zero), one, zero);
        largest = NAME(select)((NAME(Bits))(size > largest), size, largest);
        residuals = residuals + residual;
        spreads = spreads + spread;
        if (o->weighted)
            for (int lane = 0; lane < W; lane++)
                o->log_loss += o->w[i + lane] * log(o->spread[i + lane]);
        NAME(store)(o->residual + i, residual);
        NAME(store)(o->spread + i, spread);
    }
    double products[W];
    NAME(store)(products, product);
    for (int lane = 0; lane < W; lane++)
        o->log_loss += log(products[lane]);
    NAME(store)(o->totals, loss), NAME(store)(o->totals + W, largest);
    NAME(store)(o->totals + 2 * W, residuals), NAME(store)(o->totals + 3 * W, spreads);
}

/* gradient += Σ residual · x, and first += Σ spread · x if `right` is given, which becomes spread · x; W lanes each. */
FN void NAME(odds_sums)(const Odds *o)
{
    for (Py_ssize_t j = 0; j < o->p; j++) {
        const double *x = o->x + j * o->rows;
        VD gradient = NAME(load)(o->gradient + j * W), first = NAME(load)(o->first + j * W);
        for (Py_ssize_t i = 0; i < o->rows; i += W) {
            VD value = NAME(load)(x + i);
            gradient = FMA(value, NAME(load)(o->residual + i), gradient);
            if (o->right) {
                value = value * NAME(load)(o->spread + i);
                first = first + value;
                NAME(store)(o->right + j * o->rows + i, value);
            }
        }
        NAME(store)(o->gradient + j * W, gradient), NAME(store)(o->first + j * W, first);
    }
}

/* A tile of Σ (spread · x) xᵀ from row a and column b of it; W lanes for each number. */
INLINE void NAME(odds_tile)(const Odds *o, Py_ssize_t a, Py_ssize_t b, const int high, const int wide)
{
    VD sum[4][4];
    for (int u = 0; u < high; u++)
        for (int v = 0; v < wide; v++)
            sum[u][v] = NAME(load)(o->products + ((a + u) * o->p + b + v) * W);
    for (Py_ssize_t i = 0; i < o->rows; i += W) {
        VD left[4];
        for (int u = 0; u < high; u++)
            left[u] = NAME(load)(o->right + (a + u) * o->rows + i);
        for (int v = 0; v < wide; v++) {
            VD x = NAME(load)(o->x + (b + v) * o->rows + i);
            for (int u = 0; u < high; u++)
                sum[u][v] = FMA(left[u], x, sum[u][v]);
        }
    }
    for (int u = 0; u < high; u++)
        for (int v = 0; v < wide; v++)
            NAME(store)(o->products + ((a + u) * o->p + b + v) * W, sum[u][v]);
}

/* products += Σ (spread · x) xᵀ, on and above the diagonal of tiles. */
FN void NAME(odds_products)(const Odds *o)
{
    enum { T = W >= 8 ? 4 : 2 }; /* as many sums as there are registers for */
    Py_ssize_t a = 0, b;
    for (; a + T <= o->p; a += T) {
        for (b = a; b + T <= o->p; b += T)
            NAME(odds_tile)(o, a, b, T, T);
        for (; b < o->p; b++)
            NAME(odds_tile)(o, a, b, T, 1);
    }
    for (; a < o->p; a++)
        for (b = a; b < o->p; b++)
            NAME(odds_tile)(o, a, b, 1, 1);
}
