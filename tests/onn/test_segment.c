/* SPDX-License-Identifier: Apache-2.0 */
/* Segments. Move: U exp(X) against a long series; U stays orthogonal, over thousands of steps.
 * Nearest: a diag(d) U is found again, and no other is nearer. */
#include "segment_common.h"

static double orthogonality(const float *u)
{
    double worst = 0.0;

    for (uint32_t i = 0; i < SIDE; i++)
        for (uint32_t j = 0; j < SIDE; j++) {
            double sum = i == j ? -1.0 : 0.0;

            for (uint32_t k = 0; k < SIDE; k++)
                sum += (double)u[k * SIDE + i] * (double)u[k * SIDE + j];
            worst = fmax(worst, fabs(sum));
        }
    return worst;
}

static void test_move_is_the_exponential(void **state)
{
    double x[SIDE * SIDE], exact[SIDE * SIDE], start[SIDE * SIDE], moved[SIDE * SIDE];
    float u[SIDE * SIDE], step[SIDE * SIDE], a[SIDE * SIDE], b[SIDE * SIDE], drift = 0.0f;
    const double size = 0.01, norm_bound = size * SIDE;

    (void)state;
    random_skew(1.0, 7000, x);
    exponential(x, start);
    random_skew(size, 8000, x);
    exponential(x, exact);
    multiply(start, exact, moved);
    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        u[i] = (float)start[i];
        step[i] = (float)x[i];
    }
    oi_segment_move(SIDE, u, step, &drift, a, b);
    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        assert_true(fabs((double)u[i] - moved[i]) <= pow(norm_bound, 3.0) / 6.0 + 1e-6);
    assert_true(orthogonality(u) <= pow(norm_bound, 4.0) / 4.0 + 2e-6);
}

static void test_orthogonality_is_kept(void **state)
{
    double x[SIDE * SIDE];
    float u[SIDE * SIDE] = {0}, step[SIDE * SIDE], a[SIDE * SIDE], b[SIDE * SIDE], drift = 0.0f;
    double finest[SIDE * SIDE], deviation = NAN;

    (void)state;
    for (uint32_t i = 0; i < SIDE; i++)
        u[i * SIDE + i] = 1.0f;
    for (uint32_t round = 0; round < 3000; round++) {
        /* now and then a step that must be shortened */
        random_skew(round % 100 == 0 ? 5.0 : 0.05, 10000 + 200 * round, x);
        for (uint32_t i = 0; i < SIDE * SIDE; i++)
            step[i] = (float)x[i];
        oi_segment_move(SIDE, u, step, &drift, a, b);
        assert_true(orthogonality(u) <= (round % 100 == 0 ? 0.1 : 0.02));
    }
    random_skew(1e-4, 1, x);
    for (int round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < SIDE * SIDE; i++)
            step[i] = (float)x[i];
        drift = 1.0f; /* asks for a pull */
        oi_segment_move(SIDE, u, step, &drift, a, b);
    }
    assert_true(orthogonality(u) <= 3e-6);
    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        finest[i] = (double)u[i];
    assert_int_equal(oi_segment_polish(SIDE, finest, &deviation), OPTINC_OK);
    assert_true(deviation <= 1e-13);
    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        finest[i] = i == 0 ? NAN : 1.0;
    assert_int_equal(oi_segment_polish(SIDE, finest, &deviation), OPTINC_ERR_NO_CONVERGENCE);
}

static double distance(const double *w, size_t stride, const double *d, const double *u)
{
    double sum = 0.0;

    for (uint32_t i = 0; i < SIDE; i++)
        for (uint32_t j = 0; j < SIDE; j++) {
            double e = w[i * stride + j] - d[i] * u[i * SIDE + j];

            sum += e * e;
        }
    return sum;
}

static void test_nearest_segment(void **state)
{
    const size_t stride = SIDE + 5;
    double w[SIDE * (SIDE + 5)], x[SIDE * SIDE], q[SIDE * SIDE], d[SIDE], u[SIDE * SIDE];
    double best, other_d[SIDE], other_u[SIDE * SIDE], turn[SIDE * SIDE];

    (void)state;
    random_skew(1.0, 300, x);
    exponential(x, q);
    for (uint32_t i = 0; i < SIDE; i++)
        for (uint32_t j = 0; j < SIDE; j++)
            w[i * stride + j] = (i % 2 ? 0.5 + i : 0.3) * q[i * SIDE + j];
    assert_int_equal(oi_segment_nearest(SIDE, w, stride, d, u), OPTINC_OK);
    assert_true(distance(w, stride, d, u) <= 1e-24 * SIDE * SIDE * SIDE * SIDE);
    for (uint32_t i = 0; i < SIDE * stride; i++)
        w[i] = uniform(500 + i);
    assert_int_equal(oi_segment_nearest(SIDE, w, stride, d, u), OPTINC_OK);
    best = distance(w, stride, d, u);
    /* no small turn of U, with d fitted anew, comes nearer by more than the alternation leaves */
    for (uint32_t round = 0; round < 100; round++) {
        random_skew(0.1, 20000 + 200 * round, x);
        exponential(x, turn);
        multiply(u, turn, other_u);
        for (uint32_t i = 0; i < SIDE; i++) {
            other_d[i] = 0.0;
            for (uint32_t j = 0; j < SIDE; j++)
                other_d[i] += w[i * stride + j] * other_u[i * SIDE + j];
        }
        assert_true(distance(w, stride, other_d, other_u) >= best * 0.999);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_move_is_the_exponential),
        cmocka_unit_test(test_orthogonality_is_kept),
        cmocka_unit_test(test_nearest_segment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
