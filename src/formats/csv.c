/* csv.c - see csv.h. Two passes: the first checks every row and counts, the second fills one block
 * that holds the table of pointers, the line numbers and the text.     Floor 6 (formats) */
#include "formats/csv.h"

#include <string.h>

#include "core/file.h"
#include "formats/reader.h"
#include "retort/alloc.h"

#define FILE_MAX ((size_t)2 << 30)

typedef struct cursor {
    const char *name, *text, *at, *end;
    char separator;
    int64_t line;
    rt_error *error;
} cursor;

static bool at_line_end(const cursor *c) {
    return c->at == c->end || *c->at == '\n' || (*c->at == '\r' && c->end - c->at > 1 && c->at[1] == '\n');
}

static rt_status fail(const cursor *c, const char *at, const char *what) {
    return rti_fail_at(c->error, c->name, c->text, (size_t)(at - c->text), "%s", what);
}

/* Reads one field and stands behind it. With `out` the text goes there, zero-terminated, and *out
 * moves on; that is never longer than the field and what ends it. */
static rt_status read_field(cursor *c, char **out) {
    char *to = out ? *out : NULL;
    if (c->at < c->end && *c->at == '"') {
        const char *start = c->at++;
        for (;; c->at++) {
            if (c->at == c->end)
                return fail(c, start, "the quoted field that starts here never ends: close it with \"");
            if (*c->at == 0) return fail(c, c->at, "a zero byte: this is not a text file");
            if (*c->at == '\n') c->line++;
            if (*c->at == '"') {
                if (c->end - c->at < 2 || c->at[1] != '"') break;
                c->at++; /* a doubled quote stands for one */
            }
            if (to) *to++ = *c->at;
        }
        c->at++;
        if (!at_line_end(c) && *c->at != c->separator)
            return fail(c, c->at, "text behind a closing quote: double the quotes that belong to the field");
    } else {
        for (; !at_line_end(c) && *c->at != c->separator; c->at++) {
            if (*c->at == '"')
                return fail(c, c->at,
                            "a quote inside a field that does not start with one: quote the whole "
                            "field and double the quotes in it");
            if (*c->at == '\r')
                return fail(c, c->at, "a carriage return without a line feed: use LF or CRLF");
            if (*c->at == 0) return fail(c, c->at, "a zero byte: this is not a text file");
            if (to) *to++ = *c->at;
        }
    }
    if (to) {
        *to++ = 0;
        *out = to;
    }
    return RT_OK;
}

static void skip_line_end(cursor *c) {
    if (c->at < c->end && *c->at == '\r') c->at++;
    if (c->at < c->end) c->at++;
    c->line++;
}

/* The end without the last line end and without empty lines before it, which are no rows. */
static const char *end_of_rows(const char *text, const char *end) {
    while (end > text && end[-1] == '\n') {
        end--;
        if (end > text && end[-1] == '\r') end--;
    }
    return end;
}

/* One pass over all rows; with `fields` it also fills the table. */
static rt_status read_rows(cursor *c, int64_t *rows, int64_t *columns, const char **fields, int64_t *lines,
                           char *to) {
    *rows = 0;
    while (c->at < c->end) {
        const char *start = c->at;
        int64_t line = c->line, count = 0;
        for (;;) {
            if (fields) fields[*rows * *columns + count] = to;
            RT_TRY(read_field(c, fields ? &to : NULL));
            count++;
            if (at_line_end(c)) break;
            c->at++; /* the separator */
        }
        if (*rows == 0) *columns = count;
        if (count != *columns || count > INT32_MAX)
            return rti_fail_at(c->error, c->name, c->text, (size_t)(start - c->text),
                               "%lld field%s, but the first row has %lld: every row needs as many",
                               (long long)count, count == 1 ? "" : "s", (long long)*columns);
        if (lines) lines[*rows] = line;
        ++*rows;
        skip_line_end(c);
    }
    return RT_OK;
}

rt_status rti_csv_parse(rti_csv *csv, const char *text, size_t length, char separator, const char *name,
                        rt_error *error) {
    RT_ASSERT(separator && separator != '"' && separator != '\n' && separator != '\r',
              "rti_csv_parse: byte %d cannot separate fields", separator);
    *csv = (rti_csv){0};
    size_t mark = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    cursor start = {name, text, text + mark, end_of_rows(text + mark, text + length), separator, 1, error};
    cursor c = start;
    int64_t rows, columns = 0;
    RT_TRY(read_rows(&c, &rows, &columns, NULL, NULL, NULL));
    if (rows == 0) return rt_fail(error, RT_FORMAT, "%s: has no rows: is it the right file?", name);

    /* Every field takes a byte of the text at least, so rows * columns <= length + 1. */
    size_t cells = (size_t)rows * (size_t)columns;
    if (cells > SIZE_MAX / 32) return rt_fail(error, RT_MEMORY, "%s: too many fields", name);
    size_t fields_bytes = cells * sizeof(char *), lines_bytes = (size_t)rows * sizeof(int64_t);
    char *block = rt_alloc(lines_bytes + fields_bytes + length + 1);
    if (!block)
        return rt_fail(error, RT_MEMORY, "%s: not enough memory for %llu fields", name,
                       (unsigned long long)cells);
    int64_t *lines = (int64_t *)(void *)block;
    const char **fields = (const char **)(void *)(block + lines_bytes);
    c = start;
    rt_status status = read_rows(&c, &rows, &columns, fields, lines, block + lines_bytes + fields_bytes);
    RT_ASSERT(status == RT_OK, "rti_csv_parse: the text has changed while it was parsed");
    *csv = (rti_csv){
        .rows = rows, .columns = (int)columns, .fields = fields, .lines = lines, .memory = block};
    return RT_OK;
}

rt_status rti_csv_read(rti_csv *csv, const char *path, char separator, rt_error *error) {
    *csv = (rti_csv){0};
    rti_bytes bytes;
    RT_TRY(rti_file_read(path, FILE_MAX, &bytes, error));
    rt_status status = rti_csv_parse(csv, (const char *)bytes.data, bytes.count, separator, path, error);
    rt_free(bytes.data);
    return status;
}

void rti_csv_deinit(rti_csv *csv) {
    rt_free(csv->memory);
    *csv = (rti_csv){0};
}

int rti_csv_column(const rti_csv *csv, const char *name) {
    for (int i = 0; csv->rows > 0 && i < csv->columns; i++)
        if (strcmp(csv->fields[i], name) == 0) return i;
    return -1;
}

static const char *skip_digits(const char *p) {
    while (*p >= '0' && *p <= '9') p++;
    return p;
}

bool rti_csv_number(const char *field, double *value) {
    while (*field == ' ' || *field == '\t') field++;
    const char *p = field + (*field == '-' || *field == '+');
    const char *whole = p;
    p = skip_digits(p);
    bool digits = p > whole;
    if (*p == '.') {
        const char *fraction = ++p;
        p = skip_digits(p);
        digits |= p > fraction;
    }
    if (!digits) return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        const char *exponent = p;
        p = skip_digits(p);
        if (p == exponent) return false;
    }
    const char *end = p;
    while (*p == ' ' || *p == '\t') p++;
    return *p == 0 && rti_number_parse(field, (size_t)(end - field), value);
}

bool rti_csv_missing(const char *field) {
    static const char *const words[] = {"", "?", "NA", "N/A", "na", "NaN", "nan", "NULL", "null", "None"};
    while (*field == ' ') field++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(field, words[i]) == 0) return true;
    return false;
}

void rti_csv_append(rti_text *text, const char *field, bool first) {
    if (!first) rti_text_append(text, ",");
    /* An empty first field is quoted: a row of nothing else would be an empty line. */
    if (field[strcspn(field, ",\"\r\n")] == 0 && (*field || !first)) {
        rti_text_append(text, field);
        return;
    }
    rti_text_append(text, "\"");
    for (const char *quote; (quote = strchr(field, '"')) != NULL; field = quote + 1) {
        rti_text_append_bytes(text, field, (size_t)(quote - field));
        rti_text_append(text, "\"\"");
    }
    rti_text_append(text, field);
    rti_text_append(text, "\"");
}
