/* pareto.c - see pareto.h.                                             Floor 8 (experiment) */
#include "experiment/pareto.h"

#include <math.h>

static bool beats(const rti_offer *a, const rti_offer *b, bool bytes, bool latency) {
    bool worse = a->accuracy < b->accuracy || (bytes && a->bytes > b->bytes) ||
                 (latency && a->latency_us > b->latency_us);
    bool better = a->accuracy > b->accuracy || (bytes && a->bytes < b->bytes) ||
                  (latency && a->latency_us < b->latency_us);
    return better && !worse;
}

static bool on_front(const rti_offer offers[], int count, int i, bool bytes, bool latency) {
    if (isnan(offers[i].accuracy)) return false;
    for (int k = 0; k < count; k++)
        if (!isnan(offers[k].accuracy) && beats(&offers[k], &offers[i], bytes, latency)) return false;
    return true;
}

void rti_pareto_mark(rti_offer offers[], int count) {
    for (int i = 0; i < count; i++) {
        offers[i].front = on_front(offers, count, i, true, true);
        offers[i].front_bytes = on_front(offers, count, i, true, false);
        offers[i].front_latency = on_front(offers, count, i, false, true);
    }
}

static bool is_smaller(const rti_offer *a, const rti_offer *b) {
    if (a->bytes != b->bytes) return a->bytes < b->bytes;
    if (a->latency_us != b->latency_us) return a->latency_us < b->latency_us;
    return false;
}

rti_choice rti_pareto_choose(const rti_offer offers[], int count, double least, int *chosen) {
    int best = -1, smallest = -1;
    for (int i = 0; i < count; i++) {
        const rti_offer *o = &offers[i];
        if (isnan(o->accuracy)) continue;
        bool better = best < 0 || o->accuracy > offers[best].accuracy ||
                      (o->accuracy == offers[best].accuracy && is_smaller(o, &offers[best]));
        if (better) best = i;
        if (!(o->accuracy >= least)) continue;
        better = smallest < 0 || is_smaller(o, &offers[smallest]) ||
                 (o->bytes == offers[smallest].bytes && o->accuracy > offers[smallest].accuracy &&
                  o->latency_us <= offers[smallest].latency_us);
        if (better) smallest = i;
    }
    *chosen = smallest >= 0 ? smallest : best;
    return smallest >= 0 ? RTI_CHOICE_REACHES : best >= 0 ? RTI_CHOICE_BEST : RTI_CHOICE_NONE;
}
