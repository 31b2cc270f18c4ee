/* chart.c - accuracy against temperature, for terminals.               Floor 8 (experiment)
 *
 *   97.4 |                          B
 *        | ------------------ scratch
 *        +------+------+------+------
 *             T 1    T 2    T 4
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/report_parts.h"

/* ---- what a picture shows --------------------------------------------------------------------- */

int rti_picture_axis(const rti_plan *plan) {
    return plan->temperature_axis >= 0 ? plan->temperature_axis : plan->alpha_axis;
}

int rti_picture_lines(const rti_plan *plan) {
    return rti_is_grid(plan) ? plan->spec.axes[plan->alpha_axis].count : 1;
}

int rti_picture_cell(const rti_plan *plan, int facet, int x, int line) {
    int axis = rti_picture_axis(plan);
    for (int c = 0; c < plan->cell_count; c++)
        if (plan->cells[c].facet == facet && plan->cells[c].value[axis] == x &&
            (!rti_is_grid(plan) || plan->cells[c].value[plan->alpha_axis] == line))
            return c;
    return -1;
}

/* Widens [low, high] to hold e's mean (part 0) or its interval, at most `reach` long (part 1). */
static void include(rti_range *range, const rti_estimate *e, double reach) {
    if (!e->count) return;
    double accuracy = 1.0 - e->mean, half = isfinite(e->half) ? fmin(e->half, reach) : 0.0;
    range->low = fmin(range->low, accuracy - half);
    range->high = fmax(range->high, accuracy + half);
}

bool rti_range_of(const rti_summary *summary, int facet, rti_range *range) {
    const rti_facet_summary *f = &summary->facets[facet];
    *range = (rti_range){INFINITY, -INFINITY, rti_teacher_error(f).count > 0, false};
    for (int pass = 0; pass < 2; pass++) {
        double reach = pass ? fmax(1.0 * (range->high - range->low), 0.002) : 0.0;
        for (int c = 0; c < summary->plan->cell_count; c++)
            if (summary->plan->cells[c].facet == facet)
                include(range, &summary->cells[c].students.test_last, reach);
        include(range, &f->scratch.test_last, reach);
        if (!(range->low <= range->high)) return false;
    }
    double span = fmax(range->high - range->low, 1e-4);
    if (range->has_teacher) {
        double teacher = 1.0 - rti_teacher_error(f).mean;
        range->teacher_inside = teacher < range->high + 0.4 * span && teacher > range->low - 0.4 * span;
        if (range->teacher_inside) {
            range->low = fmin(range->low, teacher);
            range->high = fmax(range->high, teacher);
        }
    }
    range->low -= 0.04 * span;
    range->high += 0.04 * span;
    return true;
}

/* ---- the canvas ------------------------------------------------------------------------------- */

enum { ROWS = 18, COLUMNS = 88, MARGIN = 8 };

typedef struct canvas {
    char at[ROWS][COLUMNS + 1];
    double low, high;
    int used; /* columns */
} canvas;

/* The row of an accuracy, 0 on top; -1 outside. */
static int row_of(const canvas *c, double accuracy) {
    if (!(accuracy >= c->low) || !(accuracy <= c->high)) return -1;
    int row = (int)floor((c->high - accuracy) / (c->high - c->low) * ROWS);
    return row < ROWS ? row : ROWS - 1;
}

static void rule(canvas *c, double accuracy, char mark) {
    int row = row_of(c, accuracy);
    for (int x = 0; row >= 0 && x < c->used; x++)
        if (c->at[row][x] == ' ') c->at[row][x] = mark;
}

static void point(canvas *c, int x, const rti_estimate *error, char mark) {
    if (!error->count || x >= c->used) return;
    double accuracy = 1.0 - error->mean;
    if (isfinite(error->half)) {
        int top = row_of(c, fmin(accuracy + error->half, c->high)),
            bottom = row_of(c, fmax(accuracy - error->half, c->low));
        for (int row = top; row >= 0 && row <= bottom; row++)
            if (strchr(" -=", c->at[row][x])) c->at[row][x] = '|';
    }
    int row = row_of(c, accuracy);
    if (row >= 0) c->at[row][x] = mark;
}

/* Lines whose cells are all scratch itself are the rule already. */
static bool line_is_shown(const rti_summary *summary, int facet, int line) {
    const rti_plan *plan = summary->plan;
    for (int x = 0; x < plan->spec.axes[rti_picture_axis(plan)].count; x++) {
        int cell = rti_picture_cell(plan, facet, x, line);
        if (cell >= 0 && !summary->cells[cell].is_scratch && summary->cells[cell].students.done) return true;
    }
    return false;
}

static const char marks[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+*";

static char mark_of(int line) { return marks[line % (int)(sizeof marks - 1)]; }

static void print(rti_text *out, const canvas *c, double teacher, double scratch, bool teacher_inside) {
    int teacher_row = teacher_inside ? row_of(c, teacher) : -1, scratch_row = row_of(c, scratch);
    for (int row = 0; row < ROWS; row++) {
        double middle = c->high - (row + 0.5) / ROWS * (c->high - c->low);
        if (row % 3 == 1) rti_text_printf(out, "  %*.2f |", MARGIN - 2, 100.0 * middle);
        else rti_text_printf(out, "  %*s |", MARGIN - 2, "");
        int last = c->used;
        while (last > 0 && c->at[row][last - 1] == ' ') last--;
        rti_text_append_bytes(out, c->at[row], (size_t)last);
        if (row == teacher_row) rti_text_append(out, " teacher");
        if (row == scratch_row) rti_text_append(out, row == teacher_row ? ", scratch" : " scratch");
        rti_text_append(out, "\n");
    }
}

/* The axis with one tick and one value in the middle of each slot. */
static void print_axis(rti_text *out, const rti_plan *plan, int axis, int slots, int slot) {
    char line[COLUMNS + 64], label[RTI_LABEL_MAX], name[RTI_LABEL_MAX];
    rti_text_printf(out, "  %*s +", MARGIN - 2, "");
    for (int i = 0; i < slots * slot; i++) rti_text_append(out, i % slot == slot / 2 ? "+" : "-");
    memset(line, ' ', sizeof line);
    int end = 0;
    for (int i = 0; i < slots; i++) {
        rti_label_value(&plan->spec.axes[axis].values[i], label, sizeof label);
        int length = (int)strlen(label), at = i * slot + slot / 2 - length / 2;
        if (at < end + (end > 0) || at + length >= COLUMNS + 40) continue; /* no room: leave the number out */
        memcpy(line + at, label, (size_t)length);
        end = at + length;
    }
    line[end] = 0;
    rti_text_printf(out, "\n  %*s  %s\n", MARGIN - 2, rti_label_axis(plan, axis, name, sizeof name), line);
}

static void print_legend(rti_text *out, const rti_summary *summary, int facet, const rti_range *range) {
    const rti_plan *plan = summary->plan;
    char value[RTI_LABEL_MAX];
    int used = 0;
    for (int line = 0; rti_is_grid(plan) && line < rti_picture_lines(plan); line++) {
        if (!line_is_shown(summary, facet, line)) continue;
        rti_label_value(&plan->spec.axes[plan->alpha_axis].values[line], value, 24);
        if (used && used + 14 + rti_text_columns(value) > RTI_TABLE_WIDTH - 12) used = 0;
        rti_text_printf(out, "%s%c alpha %s", used ? "   " : "\n         ", mark_of(line), value);
        used += 11 + rti_text_columns(value);
    }
    if (used) rti_text_append(out, "\n");
    if (range->has_teacher && !range->teacher_inside)
        rti_text_printf(out, "         the teacher is outside this picture: %.2f %%\n",
                        100.0 * (1.0 - rti_teacher_error(&summary->facets[facet]).mean));
}

void rti_chart_facet(rti_text *out, const rti_summary *summary, int facet) {
    const rti_plan *plan = summary->plan;
    const rti_facet_summary *f = &summary->facets[facet];
    int axis = rti_picture_axis(plan);
    rti_range range;
    if (axis < 0 || !rti_range_of(summary, facet, &range)) return;
    int slots = plan->spec.axes[axis].count, shown = 0, column = 0;
    for (int line = 0; line < rti_picture_lines(plan); line++) shown += line_is_shown(summary, facet, line);
    /* Lines stand beside each other, so that none hides another, as long as there is room. */
    int step = slots * (2 * shown + 2) <= COLUMNS ? 2 : 1, slot = step * shown + 2;
    if (slots * slot > COLUMNS) {
        step = 0;
        slot = COLUMNS / slots;
    }
    if (slot < 1) return;
    while (slot < 8 && slots * (slot + 1) <= COLUMNS) slot++;
    canvas c = {.low = range.low, .high = range.high, .used = slots * slot};
    memset(c.at, ' ', sizeof c.at);
    double teacher = range.teacher_inside ? 1.0 - rti_teacher_error(f).mean : NAN;
    double scratch = f->scratch.test_last.count ? 1.0 - f->scratch.test_last.mean : NAN;
    rule(&c, teacher, '=');
    rule(&c, scratch, '-');
    for (int line = 0; line < rti_picture_lines(plan); line++) {
        if (!line_is_shown(summary, facet, line)) continue;
        for (int x = 0; x < slots; x++) {
            int cell = rti_picture_cell(plan, facet, x, line);
            int from = x * slot + slot / 2 - step * (shown - 1) / 2 + step * column;
            if (cell >= 0) point(&c, from, &summary->cells[cell].students.test_last, mark_of(line));
        }
        column++;
    }
    char label[RTI_LABEL_MAX];
    rti_label_cell(plan, f->first_cell, RTI_LABEL_FACET, label, sizeof label);
    rti_text_printf(out, "  test accuracy in %%, last epoch%s%s\n", label[0] ? ", " : "", label);
    print(out, &c, teacher, scratch, range.teacher_inside);
    print_axis(out, plan, axis, slots, slot);
    print_legend(out, summary, facet, &range);
}
