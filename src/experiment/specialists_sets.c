/* specialists_sets.c - which classes a specialist has.                 Floor 8 (experiment)
 *
 *     covariance of the generalist's predictions -> clusters of its columns -> sets of n classes
 *
 * Labels are not looked at. Two classes that the generalist mixes up say p and 1 - p of the same examples:
 * their covariance is higher than that of two that it tells apart, -pi_i pi_j. */
#include <math.h>
#include <string.h>

#include "experiment/specialists.h"
#include "ops/softmax_row.h"
#include "retort/alloc.h"
#include "retort/rng.h"

/* ---- covariance ---- */

rt_status rti_prediction_covariance(int64_t N, int K, const int32_t index[], const rt_real logits[],
                                    double covariance[], rt_error *error) {
    double *memory = rt_alloc_zero(3 * (size_t)K, sizeof *memory);
    if (!memory) return rt_fail(error, RT_MEMORY, "no memory for the covariance of %d classes", K);
    double *mean = memory, *p = memory + K, *log_p = memory + 2 * K;
    for (int64_t i = 0; i < N; i++) {
        rti_softmax_row(K, logits + (int64_t)index[i] * K, 1, p, log_p);
        for (int k = 0; k < K; k++) mean[k] += p[k] / (double)N;
    }
    memset(covariance, 0, (size_t)K * (size_t)K * sizeof *covariance);
    for (int64_t i = 0; i < N; i++) {
        rti_softmax_row(K, logits + (int64_t)index[i] * K, 1, p, log_p);
        for (int a = 0; a < K; a++)
            for (int b = 0; b <= a; b++) covariance[a * K + b] += (p[a] - mean[a]) * (p[b] - mean[b]);
    }
    for (int a = 0; a < K; a++)
        for (int b = 0; b <= a; b++)
            covariance[b * K + a] = covariance[a * K + b] = covariance[a * K + b] / (double)N;
    rt_free(memory);
    return RT_OK;
}

void rti_correlation(int K, double covariance[]) {
    for (int a = 0; a < K; a++)
        for (int b = 0; b < a; b++) {
            const double scale = sqrt(covariance[a * K + a] * covariance[b * K + b]);
            covariance[b * K + a] = covariance[a * K + b] = scale > 0 ? covariance[a * K + b] / scale : 0;
        }
    for (int k = 0; k < K; k++) covariance[k * K + k] = covariance[k * K + k] > 0;
}

const char *rti_set_law_name(rti_set_law law) {
    static const char *const names[] = {"covariance", "correlation", "random"};
    return names[law];
}

/* ---- on-line K-means ---- */

typedef struct kmeans {
    int count, D, clusters, most;
    const double *points;
    double *centre;       /* (clusters, D) */
    double *distance;     /* (count, clusters), squared, for the last step */
    int64_t *won;         /* (clusters) */
    int32_t *order, *now; /* (count) */
} kmeans;

static double square_distance(int D, const double a[], const double b[]) {
    double sum = 0;
    for (int d = 0; d < D; d++) sum += (a[d] - b[d]) * (a[d] - b[d]);
    return sum;
}

static int nearest(const kmeans *s, const double x[], double *distance) {
    int best = 0;
    *distance = square_distance(s->D, x, s->centre);
    for (int c = 1; c < s->clusters; c++) {
        const double here = square_distance(s->D, x, s->centre + c * s->D);
        if (here < *distance) *distance = here, best = c;
    }
    return best;
}

/* Pairs of point and centre from the nearest on; a cluster that has all it may have takes no more. */
static void assign(kmeans *s) {
    memset(s->won, 0, (size_t)s->clusters * sizeof *s->won);
    for (int at = 0; at < s->count * s->clusters; at++)
        s->distance[at] = square_distance(s->D, s->points + at / s->clusters * s->D,
                                          s->centre + at % s->clusters * s->D);
    for (int i = 0; i < s->count; i++) s->now[i] = -1;
    for (int done = 0; done < s->count; done++) {
        int point = -1, cluster = -1;
        double least = INFINITY;
        for (int at = 0; at < s->count * s->clusters; at++) {
            const int i = at / s->clusters, c = at % s->clusters;
            if (s->now[i] >= 0 || s->won[c] >= s->most) continue;
            const double here = s->distance[at];
            if (point < 0 || here < least) point = i, cluster = c, least = here;
        }
        s->now[point] = cluster;
        s->won[cluster]++;
    }
}

/* An empty cluster gets the point that is farthest from its centre. */
static void fill_empty(kmeans *s) {
    for (int c = 0; c < s->clusters; c++) {
        if (s->won[c]) continue;
        int farthest = -1;
        double most = -1;
        for (int i = 0; i < s->count; i++) {
            const int own = s->now[i];
            const double here = square_distance(s->D, s->points + i * s->D, s->centre + own * s->D);
            if (s->won[own] > 1 && here > most) most = here, farthest = i;
        }
        s->won[s->now[farthest]]--;
        s->now[farthest] = c;
        s->won[c] = 1;
    }
}

/* Sum of squared distances to the clusters' means. */
static double spread(kmeans *s) {
    double sum = 0;
    memset(s->centre, 0, (size_t)s->clusters * (size_t)s->D * sizeof *s->centre);
    for (int i = 0; i < s->count; i++)
        for (int d = 0; d < s->D; d++)
            s->centre[s->now[i] * s->D + d] += s->points[i * s->D + d] / (double)s->won[s->now[i]];
    for (int i = 0; i < s->count; i++)
        sum += square_distance(s->D, s->points + i * s->D, s->centre + s->now[i] * s->D);
    return sum;
}

static double one_start(kmeans *s, uint64_t seed, int start) {
    double distance;
    for (int pass = 0; pass <= RTI_KMEANS_PASSES; pass++) {
        rt_rng rng = rt_rng_stream(seed, "specialists.kmeans", (uint64_t)start, (uint64_t)pass);
        for (int i = 0; i < s->count; i++) s->order[i] = i;
        rt_rng_shuffle(&rng, s->order, s->count);
        for (int c = 0; pass == 0 && c < s->clusters; c++) { /* the centres' first points */
            memcpy(s->centre + c * s->D, s->points + s->order[c] * s->D, (size_t)s->D * sizeof *s->centre);
            s->won[c] = 1;
        }
        for (int i = 0; pass > 0 && i < s->count; i++) {
            const double *x = s->points + s->order[i] * s->D;
            const int c = nearest(s, x, &distance);
            s->won[c]++;
            for (int d = 0; d < s->D; d++)
                s->centre[c * s->D + d] += (x[d] - s->centre[c * s->D + d]) / (double)s->won[c];
        }
    }
    assign(s);
    fill_empty(s);
    return spread(s);
}

rt_status rti_online_kmeans(int count, int D, const double points[], int clusters, int most, uint64_t seed,
                            int32_t cluster[], double *squares, rt_error *error) {
    RT_ASSERT(clusters >= 1 && clusters <= count && (int64_t)clusters * most >= count,
              "%d clusters of up to %d of %d points", clusters, most, count);
    kmeans s = {.count = count, .D = D, .clusters = clusters, .most = most, .points = points};
    s.centre = rt_alloc((size_t)clusters * (size_t)D * sizeof *s.centre);
    s.won = rt_alloc((size_t)clusters * sizeof *s.won);
    s.distance = rt_alloc((size_t)count * (size_t)clusters * sizeof *s.distance);
    s.order = rt_alloc((size_t)count * sizeof *s.order);
    s.now = rt_alloc((size_t)count * sizeof *s.now);
    const bool room = s.centre && s.distance && s.won && s.order && s.now;
    *squares = INFINITY;
    for (int start = 0; room && start < RTI_KMEANS_STARTS; start++) {
        const double sum = one_start(&s, seed, start);
        if (sum >= *squares) continue;
        *squares = sum;
        memcpy(cluster, s.now, (size_t)count * sizeof *cluster);
    }
    rt_free(s.centre), rt_free(s.distance), rt_free(s.won), rt_free(s.order), rt_free(s.now);
    return room ? RT_OK : rt_fail(error, RT_MEMORY, "no memory to cluster %d classes", count);
}

/* ---- sets ---- */

void rti_special_sets_deinit(rti_special_sets *sets) {
    rt_free(sets->classes), rt_free(sets->output), rt_free(sets->score), rt_free(sets->own);
    memset(sets, 0, sizeof *sets);
}

/* Mean covariance of class k with the other classes of a cluster; alone in it: with itself. */
static double score_of(int K, const double covariance[], const int32_t cluster[], int c, int k) {
    double sum = 0;
    int others = 0;
    for (int j = 0; j < K; j++) {
        if (cluster[j] != c || j == k) continue;
        sum += covariance[j * K + k];
        others++;
    }
    return others ? sum / others : covariance[k * K + k];
}

/* The n first of all classes: those of the cluster, then the others, each by score. */
static void fill_set(rti_special_sets *s, int m, const double covariance[], const int32_t cluster[]) {
    const int K = s->K;
    int32_t *output = s->output + m * K;
    for (int k = 0; k < K; k++) output[k] = s->n;
    for (int place = 0; place < s->n; place++) {
        int best = -1;
        bool best_own = false;
        double best_score = 0;
        for (int k = 0; k < K; k++) {
            if (output[k] < s->n) continue;
            const bool own = cluster[k] == m;
            const double score = score_of(K, covariance, cluster, m, k);
            if (best < 0 || (own && !best_own) || (own == best_own && score > best_score))
                best = k, best_own = own, best_score = score;
        }
        output[best] = place;
        s->classes[m * s->n + place] = best;
        s->score[m * s->n + place] = best_score;
        s->own[m] += best_own;
    }
}

/* n classes at random: the cluster of this set alone is these. */
static void draw_cluster(const rti_special_sets *s, int m, uint64_t seed, int32_t order[],
                         int32_t cluster[]) {
    rt_rng rng = rt_rng_stream(seed, "specialists.random", 0, (uint64_t)m);
    for (int k = 0; k < s->K; k++) order[k] = k;
    rt_rng_shuffle(&rng, order, s->K);
    for (int i = 0; i < s->K; i++) cluster[order[i]] = i < s->n ? m : -1;
}

rt_status rti_special_sets_make(rti_special_sets *s, int K, const double covariance[], int count, int n,
                                rti_set_law law, uint64_t seed, rt_error *error) {
    RT_ASSERT(n >= 1 && n < K && count >= 1, "%d sets of %d of %d classes", count, n, K);
    double squares;
    *s = (rti_special_sets){.K = K, .count = count, .n = n};
    s->classes = rt_alloc((size_t)count * (size_t)n * sizeof *s->classes);
    s->score = rt_alloc((size_t)count * (size_t)n * sizeof *s->score);
    s->output = rt_alloc((size_t)count * (size_t)K * sizeof *s->output);
    s->own = rt_alloc_zero((size_t)count, sizeof *s->own);
    int32_t *cluster = rt_alloc(2 * (size_t)K * sizeof *cluster);
    rt_status status = s->classes && s->score && s->output && s->own && cluster
                           ? RT_OK
                           : rt_fail(error, RT_MEMORY, "no memory for %d sets of classes", count);
    if (status == RT_OK && law != RTI_SETS_RANDOM)
        status = rti_online_kmeans(K, K, covariance, count, (int64_t)count * n >= K ? n : K, seed, cluster,
                                   &squares, error);
    for (int m = 0; status == RT_OK && m < count; m++) {
        if (law == RTI_SETS_RANDOM) draw_cluster(s, m, seed, cluster + K, cluster);
        fill_set(s, m, covariance, cluster);
    }
    rt_free(cluster);
    if (status != RT_OK) rti_special_sets_deinit(s);
    return status;
}
