/* file.h - reading files nobody trusts, writing files nobody loses.    Floor 1 (core)
 *
 * Reading checks the size before memory is asked for. Writing goes to a temporary name in the same
 * directory, is flushed to the disk and renamed into place last: a reader sees the old file or the
 * new one, never half of one. Error messages name the file and say what to do. */
#ifndef RTI_FILE_H
#define RTI_FILE_H

#include "retort/status.h"

typedef struct rti_bytes {
    unsigned char *data; /* followed by a zero byte that does not count, so text can be parsed */
    size_t count;
} rti_bytes;

/* The whole file; the caller releases data with rt_free. RT_IO when it cannot be read, is not a
 * regular file, is longer than `limit` or changes meanwhile; RT_NOT_FOUND when there is none; RT_MEMORY. */
rt_status rti_file_read(const char *path, size_t limit, rti_bytes *out, rt_error *error) RT_MUST_CHECK;

/* The bytes of a large file as they lie in the system's cache: nothing is copied, pages come when they are
 * looked at, and processes that view the same file share them. Small files, and those that cannot be mapped,
 * are read. The data are not to be changed, are NOT followed by a zero byte, and are released with rt_free.
 * Whoever cuts the file short meanwhile ends the program at its next look (SIGBUS); a file that
 * is replaced by another of its name stays. */
rt_status rti_file_view(const char *path, size_t limit, rti_bytes *out, rt_error *error) RT_MUST_CHECK;

/* The bytes of a block that views a file; 0 for one that does not. */
size_t rti_file_viewed(const void *block);

/* A copy of what `view` shows, in large pages, for whoever reads it again and again in random order: a
 * processor keeps few pages in mind, and small ones are soon forgotten. The view stays what it is, but
 * takes no memory of this process until it is looked at. The caller releases the copy with rt_free. NULL:
 * there is no memory, or the block does not view a file. */
unsigned char *rti_file_settle(const unsigned char *view);

/* As rti_file_read; when `path` is missing and `path`.gz is there (or path ends in .gz), starts
 * `gzip -dc` and reads at most `limit` bytes of what it says. RT_PROGRAM when gzip fails. */
rt_status rti_file_read_gzip(const char *path, size_t limit, rti_bytes *out, rt_error *error) RT_MUST_CHECK;

/* The same, and a plain file is viewed. */
rt_status rti_file_view_gzip(const char *path, size_t limit, rti_bytes *out, rt_error *error) RT_MUST_CHECK;

/* Several processes want the same file made, and one is enough: waits until no other one has the turn at
 * `path`, a file that is made for it alone, and takes it. It ends with rti_file_turn_end, which removes that
 * file, or with the process. Less than 0: go_on(context), when it is not NULL, wants to wait no more; or this
 * file system knows no turns, or the folder is not there, and nobody waits. */
int rti_file_turn(const char *path, bool (*go_on)(void *), void *context);
void rti_file_turn_end(int turn, const char *path);

/* Temporary name, fsync, rename. RT_IO; the old file is untouched then and nothing is left over. */
rt_status rti_file_write(const char *path, const void *bytes, size_t count, rt_error *error) RT_MUST_CHECK;

/* The same from pieces that stand one after the other in the file. */
typedef struct rti_piece {
    const void *bytes; /* anything when count is 0 */
    size_t count;
} rti_piece;
rt_status rti_file_write_pieces(const char *path, const rti_piece pieces[], int count,
                                rt_error *error) RT_MUST_CHECK;

/* Like mkdir -p. */
rt_status rti_directory_make(const char *path, rt_error *error) RT_MUST_CHECK;

bool rti_file_exists(const char *path); /* a file, a directory, anything */

/* "a/b" from "a" and "b", in the caller's buffer; an absolute name stands for itself. RT_VALUE when
 * it does not fit. */
rt_status rti_path_join(char *out, size_t size, const char *directory, const char *name,
                        rt_error *error) RT_MUST_CHECK;
#define RTI_PATH_MAX 4096

/* Runs a program without a shell: argv[0] is looked up in PATH, standard input is empty.
 * `output` (may be NULL: then the program writes where we write) receives its standard output; the
 * caller releases data with rt_free. RT_PROGRAM with the exit status, or when it is not there; RT_IO
 * when it says more than `limit` bytes (it is ended then); RT_MEMORY. */
rt_status rti_program_run(const char *const argv[], size_t limit, rti_bytes *output,
                          rt_error *error) RT_MUST_CHECK;
bool rti_program_exists(const char *name);

#endif
