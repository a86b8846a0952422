/* SPDX-License-Identifier: MIT
 * unit_main.c - runs the unit suites.
 * One suite can be picked by name: unit_test graph. */
#include <stdlib.h>

#include "tests/unit/unit_suite.h"

int main(int argc, char **argv)
{
    SRunner *sr = srunner_create(base_suite());
    srunner_add_suite(sr, graph_suite());
    srunner_add_suite(sr, order_suite());
    srunner_add_suite(sr, pattern_suite());
    srunner_add_suite(sr, pack_suite());
    srunner_add_suite(sr, schedule_suite());
    srunner_add_suite(sr, init_suite());
    srunner_add_suite(sr, dialect_suite());
    srunner_add_suite(sr, guess_suite());
    srunner_add_suite(sr, fuse_suite());
    srunner_add_suite(sr, frozen_suite());
    srunner_add_suite(sr, compare_suite());
    srunner_add_suite(sr, merge_suite());
    srunner_add_suite(sr, spt_suite());
    srunner_add_suite(sr, spt_file_suite());
    srunner_add_suite(sr, table_suite());
    srunner_add_suite(sr, stats_suite());
    srunner_add_suite(sr, grids_suite());
    srunner_run(sr, argc > 1 ? argv[1] : NULL, NULL, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    const int ran = srunner_ntests_run(sr);
    srunner_free(sr);
    return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
