/* SPDX-License-Identifier: MIT
 * unit_suite.h - suites of the unit tests. */
#ifndef SCT_TEST_UNIT_SUITE_H
#define SCT_TEST_UNIT_SUITE_H

#include <check.h>

Suite *base_suite(void);
Suite *graph_suite(void);
Suite *order_suite(void);
Suite *pattern_suite(void);
Suite *pack_suite(void);
Suite *schedule_suite(void);
Suite *init_suite(void);
Suite *dialect_suite(void);
Suite *guess_suite(void);
Suite *fuse_suite(void);
Suite *frozen_suite(void);
Suite *compare_suite(void);
Suite *merge_suite(void);
Suite *spt_suite(void);
Suite *spt_file_suite(void);
Suite *table_suite(void);
Suite *stats_suite(void);
Suite *grids_suite(void);

#endif
