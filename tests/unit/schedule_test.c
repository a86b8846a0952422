/* SPDX-License-Identifier: MIT
 * schedule_test.c - learning rates against the numbers that tools/golden/make_lr.py wrote with
 * timm, and by hand where there is nothing to compare with. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/train/schedule.h"
#include "tests/unit/unit_suite.h"

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    ck_assert_msg(json_is_number(v), "lr.json has no %s", key);
    return json_number_value(v);
}

static struct sct_lr settings(const json_t *c, int timm)
{
    return (struct sct_lr){.kind = timm ? SCT_LR_TIMM : SCT_LR_COSINE,
                           .lr = number(c, "lr"),
                           .warmup_epochs = number(c, "warmup_epochs"),
                           .epochs = number(c, "epochs"),
                           .warmup_lr = number(c, "warmup_lr"),
                           .min_lr = number(c, "min_lr"),
                           .steps_per_epoch = (uint64_t)number(c, "steps_per_epoch")};
}

START_TEST(test_golden)
{
    json_error_t why;
    json_t *file = json_load_file(SCT_TEST_GOLDEN "/lr.json", 0, &why);
    ck_assert_msg(file != NULL, "%s:%d: %s", SCT_TEST_GOLDEN "/lr.json", why.line, why.text);
    const json_t *cases = json_object_get(file, "cases"), *c, *v;
    size_t i, k, checked = 0;
    json_array_foreach(cases, i, c)
    {
        const int timm = strcmp(json_string_value(json_object_get(c, "kind")), "timm") == 0;
        const struct sct_lr s = settings(c, timm);
        json_array_foreach(json_object_get(c, "values"), k, v)
        {
            const double want = json_number_value(v);
            /* timm's stay the same for all steps of an epoch */
            for (uint64_t j = 0; j < (timm ? s.steps_per_epoch : 1); j++) {
                const uint64_t step = timm ? k * s.steps_per_epoch + j : k;
                const double have = sct_lr_at(&s, step);
                ck_assert_msg(fabs(have - want) <= 1e-12 * fabs(want) + 1e-18,
                              "case %zu, step %zu: %.17g, expected %.17g", i, (size_t)step,
                              have, want);
                checked++;
            }
        }
    }
    ck_assert_uint_gt(checked, 300);
    json_decref(file);
}

END_TEST

START_TEST(test_constant)
{
    const struct sct_lr s = {.kind = SCT_LR_CONSTANT,
                             .lr = 0.25,
                             .epochs = 3,
                             .warmup_epochs = 1,
                             .steps_per_epoch = 5};
    for (uint64_t step = 0; step < 100; step++)
        ck_assert_double_eq(sct_lr_at(&s, step), 0.25);
}

END_TEST

START_TEST(test_shape)
{
    const struct sct_lr s = {
        .kind = SCT_LR_COSINE, .lr = 1, .epochs = 10, .warmup_epochs = 2, .steps_per_epoch = 7};
    for (uint64_t step = 0; step < 70; step++) {
        const double now = sct_lr_at(&s, step), next = sct_lr_at(&s, step + 1);
        ck_assert(now > 0 && now <= 1); /* no step is wasted, none goes over */
        ck_assert(step < 13 ? next > now : step > 14 ? next < now : next <= 1);
    }
    ck_assert_double_eq(sct_lr_at(&s, 13), 1); /* the last of the warm-up */
    ck_assert_double_eq(sct_lr_at(&s, 14), 1); /* the first of the cosine */
    ck_assert_double_eq_tol(sct_lr_at(&s, 42), 0.5, 1e-15);
    ck_assert_double_eq_tol(sct_lr_at(&s, 70), 0, 1e-15);
}

END_TEST

/* Odd settings give numbers, not NaN. */
START_TEST(test_edges)
{
    static const struct sct_lr odd[] = {
        {.kind = SCT_LR_COSINE, .lr = 1, .epochs = 1, .warmup_epochs = 1, .steps_per_epoch = 1},
        {.kind = SCT_LR_COSINE, .lr = 1, .epochs = 1, .warmup_epochs = 5, .steps_per_epoch = 3},
        {.kind = SCT_LR_COSINE, .lr = 1, .epochs = 1, .steps_per_epoch = 0},
        {.kind = SCT_LR_TIMM, .lr = 1, .epochs = 1, .steps_per_epoch = 0},
        {.kind = SCT_LR_TIMM, .lr = 1, .epochs = 2, .warmup_epochs = 2, .steps_per_epoch = 1},
    };

    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        for (uint64_t step = 0; step < 10; step++) {
            const double lr = sct_lr_at(&odd[i], step);
            ck_assert_msg(lr >= 0 && lr <= 1, "case %zu, step %u: %g", i, (unsigned)step, lr);
        }
}

END_TEST

Suite *schedule_suite(void)
{
    Suite *s = suite_create("schedule");
    TCase *t = tcase_create("schedule");
    tcase_add_test(t, test_golden);
    tcase_add_test(t, test_constant);
    tcase_add_test(t, test_shape);
    tcase_add_test(t, test_edges);
    suite_add_tcase(s, t);
    return s;
}
