/* SPDX-License-Identifier: MIT
 * data_suite.h - suites of the data tests and what they share. */
#ifndef SCT_TEST_DATA_SUITE_H
#define SCT_TEST_DATA_SUITE_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

Suite *image_suite(void);
Suite *resize_suite(void);
Suite *preprocess_suite(void);
Suite *list_suite(void);
Suite *layout_suite(void);
Suite *classes_suite(void);
Suite *sprites_suite(void);
Suite *loader_suite(void);

uint32_t test_crc32(const void *bytes, size_t size);
/* Fresh folder under TMPDIR; test_folder_end removes it with all it has and frees the name. */
char *test_folder(void);
void test_folder_end(char *folder);
/* Writes size bytes (strlen when size is (size_t)-1) to folder/name, making folders on the way.
 */
void test_write(const char *folder, const char *name, const void *bytes, size_t size);

#endif
