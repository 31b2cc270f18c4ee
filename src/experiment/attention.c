/* attention.c - where networks look: attention maps of a comparison.   Floor 8 (experiment)
 *
 * For a few test images, one of each of the first classes: the picture, and the map at the end of each
 * stage of the teacher, of the scratch student and of the rows that stand highest, of the first seed. A
 * map is the mean over channels of the squares (Zagoruyko, Komodakis 2017, arXiv 1612.03928, F^2 by
 * channels), scaled to 0 ... 1 within each map, so that the places count and not the sizes.
 *
 * attention.csv has one row for each cell of each map: column and row of the sheet, the map's extent, x, y
 * and the colour; attention-columns.csv the names of the columns. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/finish.h"
#include "experiment/league.h"
#include "formats/csv.h"
#include "retort/alloc.h"
#include "retort/log.h"

enum { IMAGES = 5, STUDENTS = 4, STAGES_SHOWN = 4 };

typedef struct sheet {
    const rti_summary *summary;
    rt_part part; /* the images shown */
    int32_t index[IMAGES], labels[IMAGES];
    rti_text text, names; /* attention.csv, attention-columns.csv */
    int column;
} sheet;

/* ---- which images --------------------------------------------------------------------------------- */

/* The first test image of each of the first classes. */
static bool choose_images(sheet *s, const rt_part *test) {
    s->part = (rt_part){test->examples, 0, s->index, s->labels};
    for (int class = 0; class < test->examples->classes && s->part.count < IMAGES; class ++)
        for (int64_t i = 0; i < test->count; i++) {
            if (test->labels[i] != class) continue;
            s->index[s->part.count] = test->index[i];
            s->labels[s->part.count++] = class;
            break;
        }
    const rt_examples *x = test->examples;
    return s->part.count > 0 && x->bytes && x->ndim == 3 && (x->shape[0] == 1 || x->shape[0] == 3);
}

/* ---- writing -------------------------------------------------------------------------------------- */

static void add_pixel(sheet *s, int row, int64_t size, int64_t x, int64_t y, int red, int green, int blue) {
    rti_text_printf(&s->text, "%d,%d,%lld,%lld,%lld,%d,%d,%d\n", s->column, row, (long long)size,
                    (long long)x, (long long)y, red, green, blue);
}

static void add_picture(sheet *s, int row) {
    const rt_examples *e = s->part.examples;
    int64_t height = e->shape[1], width = e->shape[2], plane = height * width;
    const uint8_t *pixels = e->bytes + (int64_t)s->index[row] * e->features;
    for (int64_t i = 0; i < plane; i++) {
        int red = pixels[i], green = e->shape[0] == 3 ? pixels[plane + i] : red,
            blue = e->shape[0] == 3 ? pixels[2 * plane + i] : red;
        add_pixel(s, row, height > width ? height : width, i % width, i / width, red, green, blue);
    }
}

/* From dark blue over teal to yellow, for 0 ... 1. */
static void colour_of(double value, int rgb[3]) {
    static const double stops[5][3] = {
        {68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}};
    double at = value * 4;
    int i = at >= 4 ? 3 : (int)at;
    for (int c = 0; c < 3; c++)
        rgb[c] = (int)lround(stops[i][c] + (at - i) * (stops[i + 1][c] - stops[i][c]));
}

/* The map of example `row` of f (N, H, W, C). */
static void add_map(sheet *s, int row, const rt_tensor *f) {
    int64_t H = f->shape[1], W = f->shape[2], C = f->shape[3];
    double low = INFINITY, high = -INFINITY;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < H * W; i++) {
            double sum = 0;
            for (int64_t c = 0; c < C; c++) {
                double v = rt_tensor_get(f, (int64_t[]){row, i / W, i % W, c});
                sum += v * v;
            }
            low = pass ? low : fmin(low, sum);
            high = pass ? high : fmax(high, sum);
            if (!pass) continue;
            int rgb[3];
            colour_of(high > low ? (sum - low) / (high - low) : 0, rgb);
            add_pixel(s, row, H > W ? H : W, i % W, i / W, rgb[0], rgb[1], rgb[2]);
        }
}

/* ---- networks ------------------------------------------------------------------------------------- */

static void name_column(sheet *s, const char *network, const char *stage) {
    rti_text_printf(&s->names, "%d", s->column);
    rti_csv_append(&s->names, network, false);
    rti_csv_append(&s->names, stage, false);
    rti_text_append(&s->names, "\n");
}

static rt_status add_network(sheet *s, const char *name, rt_model *model, rt_error *error) {
    rt_graph *g = rt_graph_new(error);
    rt_loader *loader = g ? rt_loader_new(&s->part, s->part.count, 0, NULL, error) : NULL;
    rt_batch batch;
    rt_status status = loader ? RT_OK : error->status;
    if (status == RT_OK && rt_loader_next(loader, &batch)) {
        rt_model_evaluate(model);
        rt_no_grad_begin(g);
        rt_model_forward(model, g, batch.x);
        rt_no_grad_end(g);
        int stages = rt_model_stages(model);
        for (int i = stages > STAGES_SHOWN ? stages - STAGES_SHOWN : 0; i < stages; i++) {
            const rt_tensor *f = rt_model_tap(model, rt_model_stage(model, i));
            if (!f || f->ndim != 4 || f->shape[1] * f->shape[2] < 4) continue;
            s->column++;
            name_column(s, name, rt_model_stage(model, i));
            for (int row = 0; row < s->part.count; row++) add_map(s, row, f);
        }
        if (rt_graph_status(g) != RT_OK)
            status = rt_fail(error, rt_graph_status(g), "%s", rt_graph_error(g)->message);
    }
    rt_loader_free(loader);
    rt_graph_free(g);
    return status;
}

static rt_status add_student(sheet *s, const char *name, int trial, rt_error *error) {
    const rti_plan *plan = s->summary->plan;
    char directory[RTI_PATH_MAX], path[RTI_PATH_MAX];
    if (trial < 0 || s->summary->records[trial].state != RTI_DONE) return RT_OK;
    rti_trial_directory(plan, trial, directory, sizeof directory);
    RT_TRY(rti_path_join(path, sizeof path, directory, "weights.safetensors", error));
    rt_model *model = rti_trial_model(plan, trial, error);
    if (!model) return error->status;
    rt_status status = rt_model_load(model, path, error);
    if (status == RT_OK) status = add_network(s, name, model, error);
    rt_model_free(model);
    return status;
}

static rt_status add_networks(sheet *s, rt_error *error) {
    const rti_summary *summary = s->summary;
    const rti_plan *plan = summary->plan;
    rti_league league;
    rti_league_make(&league, summary);
    int first = plan->cells[summary->facets[0].first_cell].scratch[0], shown = 0;
    for (int c = 0; c < plan->cell_count; c++) {
        const rti_trial *student = &plan->trials[plan->cells[c].trials[0]];
        if (student->teacher_count != 1 || plan->trials[student->teachers[0]].role != RTI_TEACHER) continue;
        RT_TRY(add_student(s, "teacher", student->teachers[0], error));
        break;
    }
    RT_TRY(add_student(s, "scratch", first, error));
    for (int i = 0; i < league.count && shown < STUDENTS - 1; i++) {
        if (league.line[i].cell < 0 || !league.line[i].group->done) continue;
        RT_TRY(add_student(s, league.line[i].label, plan->cells[league.line[i].cell].trials[0], error));
        shown++;
    }
    return RT_OK;
}

static rt_status write_sheet(const rti_summary *summary, bool *made, rt_error *error) {
    const rti_plan *plan = summary->plan;
    if (!plan->cell_count || !plan->dataset_count) return RT_OK;
    const rti_trial *any = &plan->trials[plan->cells[summary->facets[0].first_cell].scratch[0]];
    sheet s = {.summary = summary, .text = RTI_TEXT_EMPTY, .names = RTI_TEXT_EMPTY};
    if (!choose_images(&s, rt_dataset_part(plan->datasets[any->dataset], RT_PART_TEST))) return RT_OK;
    rti_text_append(&s.text, "column,row,size,x,y,red,green,blue\n");
    rti_text_append(&s.names, "column,network,stage\n");
    name_column(&s, "image", "-");
    for (int row = 0; row < s.part.count; row++) add_picture(&s, row);
    rt_status status = add_networks(&s, error);
    if (status == RT_OK && s.column > 0) {
        status = rti_report_file(plan, "attention.csv", &s.text, error);
        if (status == RT_OK) status = rti_report_file(plan, "attention-columns.csv", &s.names, error);
        *made = status == RT_OK;
    }
    rti_text_deinit(&s.text);
    rti_text_deinit(&s.names);
    return status;
}

rt_status rti_attention_write(const rti_summary *summary, bool *made, rt_error *error) {
    rt_error own = {0};
    *made = false;
    rt_status status = write_sheet(summary, made, &own);
    if (status == RT_OK) return RT_OK;
    if (status == RT_MEMORY) return rt_fail(error, status, "%s", own.message);
    rt_say(RT_LOG_WARNING, "The picture of attention maps is left out: %s", own.message);
    return RT_OK;
}
