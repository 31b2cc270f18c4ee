/* table.c - tables: what stands in them, and how they are set.         Floor 8 (experiment) */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/report_parts.h"

/* ---- numbers ---------------------------------------------------------------------------------- */

static const char *with_interval(const rti_estimate *e, const char *format, char out[48]) {
    if (!e->count || !isfinite(e->mean)) {
        snprintf(out, 48, "-");
        return out;
    }
    int length = snprintf(out, 40, format, 100.0 * e->mean);
    if (isfinite(e->half) && length > 0 && length < 40)
        snprintf(out + length, 48 - (size_t)length, " +- %.2f", 100.0 * e->half);
    return out;
}

const char *rti_percent(const rti_estimate *e, char out[48]) { return with_interval(e, "%.2f", out); }
const char *rti_points(const rti_estimate *e, char out[48]) { return with_interval(e, "%+.2f", out); }

const char *rti_p_text(double p, char out[32]) {
    if (isnan(p)) snprintf(out, 32, "no test");
    else if (p < 0.001) snprintf(out, 32, "p < 0.001");
    else snprintf(out, 32, p < 0.0995 ? "p = %.3f" : "p = %.2f", p);
    return out;
}

const char *rti_duration_text(double seconds, char out[32]) {
    if (seconds < 100.0) snprintf(out, 32, seconds < 9.95 ? "%.1f s" : "%.0f s", seconds);
    else if (seconds < 6000.0) snprintf(out, 32, "%.0f min", seconds / 60.0);
    else snprintf(out, 32, "%.1f h", seconds / 3600.0);
    return out;
}

/* rti_percent with the points of a table's errors below each other. */
static const char *aligned(const rti_summary *summary, const rti_estimate *e, char out[48]) {
    double most = 0.0;
    for (int c = 0; c < summary->plan->cell_count; c++)
        if (summary->cells[c].students.test_last.count)
            most = fmax(most, summary->cells[c].students.test_last.mean);
    return with_interval(e, most >= 0.99995 ? "%6.2f" : most >= 0.099995 ? "%5.2f" : "%.2f", out);
}

/* "BEATS", "WORSE", "same", "" */
static const char *mark_of(const rti_cell_summary *cell) {
    if (cell->paired.identical && cell->paired.pairs > 1) return "same";
    if (cell->paired.verdict == RTI_BEATS) return "BEATS";
    return cell->paired.verdict == RTI_NO_BEATS ? "WORSE" : "";
}

/* "2/3" when some of its trials are not finished. */
static const char *missing_of(const rti_group *group, char out[32]) {
    out[0] = 0;
    if (group->done && group->done < group->trials) snprintf(out, 32, " %d/%d", group->done, group->trials);
    return out;
}

static const char *state_of(const rti_group *group) { return group->failed ? "failed" : "-"; }

/* ---- T x alpha -------------------------------------------------------------------------------- */

static int cell_at(const rti_table *table, int row, int column) {
    const rti_plan *plan = table->summary->plan;
    for (int c = 0; c < plan->cell_count; c++)
        if (plan->cells[c].facet == table->facet && plan->cells[c].value[plan->temperature_axis] == row - 1 &&
            plan->cells[c].value[plan->alpha_axis] == column - 1)
            return c;
    return -1;
}

/* Head row and head column of a T x alpha table; false inside. */
static bool grid_head(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    const rti_plan *plan = table->summary->plan;
    char value[64];
    out[0] = 0;
    if (row == 0 && column > 0)
        snprintf(out, RTI_LABEL_MAX, " alpha %s",
                 rti_label_value(&plan->spec.axes[plan->alpha_axis].values[column - 1], value, sizeof value));
    else if (row > 0 && column == 0)
        snprintf(
            out, RTI_LABEL_MAX, "T %3s",
            rti_label_value(&plan->spec.axes[plan->temperature_axis].values[row - 1], value, sizeof value));
    return row == 0 || column == 0;
}

static void errors_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    if (grid_head(table, row, column, out)) return;
    int c = cell_at(table, row, column);
    if (c < 0) return;
    const rti_cell_summary *cell = &table->summary->cells[c];
    char number[48], missing[32];
    const char *mark = mark_of(cell);
    if (!cell->students.done) snprintf(out, RTI_LABEL_MAX, " %5s", state_of(&cell->students));
    else if (cell->is_scratch)
        snprintf(out, RTI_LABEL_MAX, " = scratch%s", missing_of(&cell->students, missing));
    else
        snprintf(out, RTI_LABEL_MAX, "%s%s%s%s%s",
                 c == table->summary->facets[table->facet].best_cell ? "*" : " ",
                 aligned(table->summary, &cell->students.test_last, number), mark[0] ? " " : "", mark,
                 missing_of(&cell->students, missing));
}

static void agreement_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    if (grid_head(table, row, column, out)) return;
    int c = cell_at(table, row, column);
    if (c < 0) return;
    char number[48];
    snprintf(out, RTI_LABEL_MAX, " %s", rti_percent(&table->summary->cells[c].students.agreement, number));
}

static rti_table grid(const rti_summary *summary, int facet,
                      void (*text)(const rti_table *, int, int, char out[RTI_LABEL_MAX])) {
    const rti_spec *spec = &summary->plan->spec;
    RT_ASSERT(rti_is_grid(summary->plan), "the plan does not sweep %s", "temperature and alpha");
    return (rti_table){summary, facet, 1 + spec->axes[summary->plan->temperature_axis].count,
                       1 + spec->axes[summary->plan->alpha_axis].count, text, NULL};
}

rti_table rti_table_errors(const rti_summary *summary, int facet) {
    return grid(summary, facet, errors_text);
}
rti_table rti_table_agreement(const rti_summary *summary, int facet) {
    return grid(summary, facet, agreement_text);
}

/* ---- one row per cell ------------------------------------------------------------------------- */

enum { NAME, STUDENT, VERDICT, DIFFERENCE, AGREEMENT, SCRATCH, CELL_COLUMNS };

/* Scratch is one for the whole table when there is one facet, and stands above it then. */
static void cells_text(const rti_table *table, int row, int column, char out[RTI_LABEL_MAX]) {
    static const char *const heads[] = {"", " student", "verdict", "difference", "agreement", "scratch"};
    const rti_plan *plan = table->summary->plan;
    snprintf(out, RTI_LABEL_MAX, "%s", heads[column]);
    if (row == 0) return;
    const rti_cell_summary *cell = &table->summary->cells[row - 1];
    const rti_facet_summary *facet = &table->summary->facets[plan->cells[row - 1].facet];
    rti_estimate agreement = cell->students.agreement;
    char number[48], missing[32];
    agreement.half = NAN;
    switch (column) {
    case NAME:
        rti_label_cell(plan, row - 1, RTI_LABEL_ALL, out, 56);
        if (!out[0]) snprintf(out, RTI_LABEL_MAX, "student");
        break;
    case STUDENT:
        if (!cell->students.done) snprintf(out, RTI_LABEL_MAX, " %5s", state_of(&cell->students));
        else
            snprintf(out, RTI_LABEL_MAX, "%s%s%s",
                     row - 1 == facet->best_cell && facet->cell_count > 1 ? "*" : " ",
                     aligned(table->summary, &cell->students.test_last, number),
                     missing_of(&cell->students, missing));
        break;
    case VERDICT:
        snprintf(out, RTI_LABEL_MAX, "%s",
                 cell->is_scratch                                   ? "= scratch"
                 : !cell->paired.pairs                              ? "-"
                 : cell->paired.identical && cell->paired.pairs > 1 ? "same"
                                                                    : rti_verdict_name(cell->paired.verdict));
        break;
    case DIFFERENCE: rti_points(&cell->paired.difference, out); break;
    case AGREEMENT: rti_percent(&agreement, out); break;
    default: rti_percent(&facet->scratch.test_last, out);
    }
}

rti_table rti_table_cells(const rti_summary *summary) {
    int columns = summary->plan->facet_count == 1 ? SCRATCH : CELL_COLUMNS;
    return (rti_table){summary, 0, 1 + summary->plan->cell_count, columns, cells_text, NULL};
}

/* ---- setting ---------------------------------------------------------------------------------- */

static int column_width(const rti_table *table, int column) {
    char text[RTI_LABEL_MAX];
    int widest = 0;
    for (int row = 0; row < table->rows; row++) {
        table->text(table, row, column, text);
        int columns = rti_text_columns(text);
        if (columns > widest) widest = columns;
    }
    return widest;
}

static void pad(rti_text *out, int columns) {
    for (int i = 0; i < columns; i++) rti_text_append_bytes(out, " ", 1);
}

/* One line of a block; blanks at its end are not written. */
static void print_row(rti_text *out, const rti_table *table, int row, int first, int last, const int widths[],
                      int indent) {
    char text[RTI_LABEL_MAX];
    int blanks = indent;
    for (int column = 0; column < last; column = column ? column + 1 : first) {
        table->text(table, row, column, text);
        if (text[0]) {
            pad(out, blanks);
            rti_text_append(out, text);
            blanks = 0;
        }
        blanks += widths[column ? column - first + 1 : 0] - rti_text_columns(text) + 2;
    }
    rti_text_append(out, "\n");
}

void rti_table_print(rti_text *out, const rti_table *table, int indent) {
    int widths[RTI_AXIS_VALUES_MAX + CELL_COLUMNS];
    widths[0] = column_width(table, 0);
    for (int first = 1; first < table->columns;) {
        int last = first, used = indent + widths[0];
        while (last < table->columns) {
            int width = column_width(table, last);
            if (last > first && used + 2 + width > RTI_TABLE_WIDTH) break;
            widths[last - first + 1] = width;
            used += 2 + width;
            last++;
        }
        if (first > 1) rti_text_append(out, "\n");
        for (int row = 0; row < table->rows; row++) print_row(out, table, row, first, last, widths, indent);
        first = last;
    }
}

void rti_markdown_escape(rti_text *out, const char *text) {
    for (; *text; text++) {
        if (strchr("\\`*_{}[]<>|#&~!$", *text)) rti_text_append_bytes(out, "\\", 1);
        if ((unsigned char)*text < 0x20 || *text == 0x7f) rti_text_append(out, " ");
        else rti_text_append_bytes(out, text, 1);
    }
}

void rti_table_markdown(rti_text *out, const rti_table *table) {
    char text[RTI_LABEL_MAX];
    for (int row = 0; row < table->rows; row++) {
        for (int column = 0; column < table->columns; column++) {
            table->text(table, row, column, text);
            rti_text_append(out, "| ");
            rti_markdown_escape(out, text + strspn(text, " "));
            rti_text_append(out, " ");
        }
        rti_text_append(out, "|\n");
        for (int column = 0; row == 0 && column < table->columns; column++)
            rti_text_append(out, column ? "|:---" : "|---");
        if (row == 0) rti_text_append(out, "|\n");
    }
}
