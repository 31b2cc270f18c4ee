/* csv.h - reader and writer of CSV (RFC 4180).                         Floor 6 (formats)
 *
 * Quoted fields, doubled quotes, line breaks inside quotes, CRLF or LF, an optional byte order
 * mark. All rows must have as many fields as the first; a ragged row is an error with its line, and
 * so is a file without rows. Empty lines at the end are no rows. Bytes beyond ASCII stay as they
 * are, whatever their encoding; a zero byte is an error. */
#ifndef RTI_CSV_H
#define RTI_CSV_H

#include "core/text.h"

typedef struct rti_csv {
    int64_t rows;
    int columns;
    const char *const *fields; /* (rows, columns), zero-terminated */
    const int64_t *lines;      /* (rows) line on which the row starts, 1 is the first */
    void *memory;
} rti_csv;

/* RT_FORMAT with name:line:column, RT_MEMORY. The text may go away afterwards. */
rt_status rti_csv_parse(rti_csv *csv, const char *text, size_t length, char separator, const char *name,
                        rt_error *error) RT_MUST_CHECK;
rt_status rti_csv_read(rti_csv *csv, const char *path, char separator,
                       rt_error *error) RT_MUST_CHECK; /* at most 2 GiB; also RT_IO, RT_NOT_FOUND */
void rti_csv_deinit(rti_csv *csv);
static inline const char *rti_csv_field(const rti_csv *csv, int64_t row, int column) {
    return csv->fields[row * csv->columns + column];
}
int rti_csv_column(const rti_csv *csv, const char *name); /* in row 0; -1 when missing */

/* A decimal number and nothing else but blanks around it; false otherwise (empty, text, trailing
 * junk, NaN, infinity, hexadecimal, more than a double can hold). */
bool rti_csv_number(const char *field, double *value);

/* Does the field say that there is no value? Empty, or ?, NA, N/A, NaN, NULL, None as programs write it. */
bool rti_csv_missing(const char *field);

/* Appends one field, quoted when it must be, and the comma before it unless `first`. */
void rti_csv_append(rti_text *text, const char *field, bool first);

#endif
