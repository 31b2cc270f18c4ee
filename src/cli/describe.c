/* describe.c - retort data describe: what is in a file, and a spec to start from.  Floor 9 (cli) */
#include "cli/describe.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/opening.h"
#include "data/describe.h"

#define COLUMNS_SHOWN 40
#define CLASSES_SHOWN 20

extern const rti_command rti_command_data;

typedef struct arguments {
    const char *path, *spec, *label;
    bool all;
} arguments;

/* ---- printing ---- */

static void table_print(const rti_description *d, bool all) {
    static const char *const types[] = {"empty", "integer", "real", "text"};
    printf("%s: a table of %lld rows and %d columns, separated by %s; %s\n\n", d->given, (long long)d->rows,
           d->column_count,
           d->separator == ';'    ? "semicolons"
           : d->separator == '\t' ? "tabs"
                                  : "commas",
           d->header ? "the first line holds names" : "without names in the first line");
    printf("%5s  %-20s %-8s %11s %11s %9s %8s\n", "", "column", "type", "from", "to", "distinct", "missing");
    int shown = all || d->column_count <= COLUMNS_SHOWN ? d->column_count : COLUMNS_SHOWN - 10;
    for (int c = 0; c < d->column_count; c++) {
        const rti_column *column = &d->column[c];
        if (c >= shown && c != d->column_count - 1 && c != d->label) continue;
        if (c >= shown && c == d->column_count - 1)
            printf("%5s  (%d more; --all shows them)\n", "...",
                   d->column_count - shown - 1 - (d->label >= shown && d->label < c));
        printf("%5d  %-20.20s %-8s ", c + 1, column->name, types[column->type]);
        if (column->type == RTI_COLUMN_INTEGER || column->type == RTI_COLUMN_REAL)
            printf("%11.6g %11.6g", column->low, column->high);
        else
            printf("%11s %11s", "", "");
        printf(" %9lld %8lld%s%s\n", (long long)column->distinct, (long long)column->missing,
               column->distinct == 1 ? "  constant" : "", c == d->label ? "  label" : "");
    }
    putchar('\n');
    if (d->label >= 0)
        printf("label: column %d%s%s%s (%s)\n", d->label + 1, d->column[d->label].name[0] ? ", " : "",
               d->column[d->label].name, "", d->label_why);
}

static void arrays_print(const rti_description *d) {
    if (d->what == RTI_DESCRIBED_FOLDER) printf("%s: a folder with\n", d->given);
    for (int i = 0; i < d->array_count; i++) {
        const rti_described_array *a = &d->array[i];
        const char *slash = strrchr(a->path, '/');
        if (d->what == RTI_DESCRIBED_FOLDER)
            printf("  %-18s %s: ", a->part, slash ? slash + 1 : a->path);
        else
            printf("%s: ", d->given);
        printf("%s, %s, shape (", a->format == RTI_ARRAY_NPY ? "NPY" : "IDX", rti_npy_name(a->dtype));
        for (int k = 0; k < a->ndim; k++)
            printf("%s%lld%s", k ? ", " : "", (long long)a->shape[k], a->ndim == 1 ? "," : "");
        printf("), %.6g to %.6g", a->low, a->high);
        if (a->not_finite) printf(", %lld numbers not finite", (long long)a->not_finite);
        putchar('\n');
    }
    if (d->what == RTI_DESCRIBED_FOLDER && d->array_count == 2)
        puts("  no test files: a fifth of the training examples will be held out");
    if (d->features && d->images && d->channels == 1)
        puts("examples: grey images");
    else if (d->features && d->images)
        printf("examples: images of %lld channels\n", (long long)d->channels);
    else if (d->features)
        printf("examples: rows of %lld numbers\n", (long long)d->features);
}

static void classes_print(const rti_description *d) {
    int shown = d->class_count <= CLASSES_SHOWN ? d->class_count : CLASSES_SHOWN;
    if (!d->class_count) return;
    printf("%d classes:", d->class_count);
    for (int k = 0; k < shown; k++)
        printf("%s %s (%lld)", k ? "," : "", d->class_counts[k].name, (long long)d->class_counts[k].count);
    puts(shown < d->class_count ? ", ..." : "");
}

/* Each line of `text` behind two blanks. */
static void lines_print(const char *heading, const rti_text *text) {
    const char *at = rti_text_string(text);
    if (!*at) return;
    puts(heading);
    for (size_t length; (length = strcspn(at, "\n")) > 0; at += length + 1)
        printf("  %.*s\n", (int)length, at);
}

static void description_print(const rti_description *d, const arguments *a) {
    if (d->what == RTI_DESCRIBED_TABLE)
        table_print(d, a->all);
    else
        arrays_print(d);
    classes_print(d);
    lines_print("note", &d->notes);
    lines_print("cannot be used as it is", &d->problems);
    if (!*rti_text_string(&d->problems) && !a->spec)
        printf("A spec to start from: retort data describe %s --spec FILE.toml\n", d->given);
}

/* ---- the spec ---- */

/* "my-data" from "specs/My data.toml": what may name a directory. */
static void name_from(const char *path, char out[64]) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    size_t length = dot && dot > base ? (size_t)(dot - base) : strlen(base), n = 0;
    for (size_t i = 0; i < length && n < 63; i++) {
        char c = base[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (plain)
            out[n++] = c;
        else if (n && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n && out[n - 1] == '-') n--;
    if (!n) out[n++] = 'x';
    out[n] = 0;
}

/* Is it a spec that `retort run` takes? It is planned, as a dry run is, before it is written. */
static rt_status spec_check(const rti_text *text, const char *file, rt_error *error) {
    static rti_spec spec;
    static rti_plan plan;
    RT_TRY(rti_spec_parse(&spec, rti_text_string(text), text->length, file, NULL, 0, error));
    RT_TRY(rti_plan_make(&plan, &spec, "runs", NULL, error));
    rti_plan_deinit(&plan);
    return RT_OK;
}

static rt_status spec_write(const rti_description *d, const char *file, rt_error *error) {
    char name[64];
    rti_text text = RTI_TEXT_EMPTY;
    name_from(file, name);
    rt_status status = rti_describe_spec(d, name, file, &text, error);
    if (status == RT_OK) {
        status = spec_check(&text, file, error);
        if (status != RT_OK) status = rt_fail_in(error, status, "no spec is written");
    }
    if (status == RT_OK) status = rti_file_write(file, text.bytes, text.length, error);
    rti_text_deinit(&text);
    return status;
}

/* ---- the command ---- */

static int take_arguments(arguments *a, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *problem = NULL, *value;
        if (strcmp(argv[i], "--all") == 0)
            a->all = true;
        else if ((value = rti_option_value("--spec", argc, argv, &i, &problem)))
            a->spec = value;
        else if ((value = rti_option_value("--label", argc, argv, &i, &problem)))
            a->label = value;
        else if (argv[i][0] == '-')
            return rti_usage(&rti_command_data,
                             "describe has no option %s; it has --spec, --label and --all.", argv[i]);
        else if (a->path)
            return rti_usage(&rti_command_data, "one file or folder at a time: %s or %s?", a->path, argv[i]);
        else
            a->path = argv[i];
        if (problem) return rti_usage(&rti_command_data, "%s %s", problem, argv[i]);
    }
    if (!a->path) return rti_usage(&rti_command_data, "describe needs a file or a folder, e.g. my.csv.");
    if (a->spec && !*a->spec) return rti_usage(&rti_command_data, "--spec needs the name of a file.");
    return RTI_EXIT_DONE;
}

int rti_data_describe(int argc, char **argv) {
    arguments a = {0};
    rt_error error = {0};
    int code = take_arguments(&a, argc, argv);
    if (code != RTI_EXIT_DONE) return code;
    if (a.spec && rti_file_exists(a.spec)) {
        rt_fail(&error, RT_IO, "%s: is there already and is not overwritten: give --spec another name",
                a.spec);
        return rti_complain(&error);
    }
    static rti_description d;
    if (rti_describe(&d, a.path, a.label, &error) != RT_OK) return rti_complain(&error);
    description_print(&d, &a);
    if (a.spec && spec_write(&d, a.spec, &error) != RT_OK)
        code = rti_complain(&error);
    else if (a.spec)
        printf("%s is written. Next: retort run %s\n", a.spec, a.spec);
    rti_description_deinit(&d);
    return code;
}
