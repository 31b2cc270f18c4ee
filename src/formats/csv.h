/* csv.h - reader and writer of CSV (RFC 4180).                         Floor 6 (formats)
 *
 * Quoted fields, doubled quotes, line breaks inside quotes, CRLF or LF, an optional byte order
 * mark. All rows must have as many fields as the first; a ragged row is an error with its line. */
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

rt_status rti_csv_parse(rti_csv *csv, const char *text, size_t length, char separator, const char *name,
                        rt_error *error) RT_MUST_CHECK;
rt_status rti_csv_read(rti_csv *csv, const char *path, char separator, rt_error *error) RT_MUST_CHECK;
void rti_csv_deinit(rti_csv *csv);
static inline const char *rti_csv_field(const rti_csv *csv, int64_t row, int column) {
    return csv->fields[row * csv->columns + column];
}
int rti_csv_column(const rti_csv *csv, const char *name); /* in row 0; -1 when missing */

/* A number that fills the whole field; false otherwise (empty, text, trailing junk, NaN). */
bool rti_csv_number(const char *field, double *value);

/* Appends one field, quoted when it must be, and the comma before it unless `first`. */
void rti_csv_append(rti_text *text, const char *field, bool first);

#endif
