/* temporary.h - a directory of its own for each test. */
#ifndef TEST_TEMPORARY_H
#define TEST_TEMPORARY_H

/* The path of a file in a fresh directory that is removed, with all that is in it, when the test's
 * process ends normally. Borrowed, good for eight calls. "" is the directory itself. */
const char *test_path(const char *name);

#endif
