/* SPDX-License-Identifier: MIT
 * optim_groups.c - factors of learning rate and weight decay, parameter by parameter. */
#include "core/train/optim_groups.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/text.h"
#include "core/model/layer_id.h"
#include "core/peft/pattern.h"

enum { NEAR = 3 };

/* timm: lr *= decay^(L - id), in double */
static void layer_decay(const struct sct_model *m, struct sct_param *p, double decay)
{
    const uint32_t last = sct_layer_last(&m->cfg), id = sct_layer_of(m, p);
    p->group.lr_mult =
        (float)((double)p->group.lr_mult * pow(decay, (double)last - (double)id));
}

/* The trained parameters whose names are most like the pattern. */
static void near_names(const struct sct_model *m, const char *pattern, char *buf, size_t size)
{
    const struct sct_param *best[NEAR] = {NULL};
    uint32_t least[NEAR] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    for (uint32_t i = 0; i < m->n_param; i++) {
        if (!m->param[i]->trainable)
            continue;
        const uint32_t d = sct_edit_distance(pattern, m->param[i]->name);
        uint32_t at = NEAR;
        while (at && d < least[at - 1])
            at--;
        for (uint32_t k = NEAR - 1; k > at; k--) {
            best[k] = best[k - 1];
            least[k] = least[k - 1];
        }
        if (at < NEAR) {
            best[at] = m->param[i];
            least[at] = d;
        }
    }
    size_t n = 0;
    buf[0] = 0;
    for (uint32_t k = 0; k < NEAR && best[k] && n < size; k++)
        n += (size_t)snprintf(buf + n, size - n, "%s%.80s", k ? ", " : "", best[k]->name);
}

static sct_status nothing_matches(const struct sct_model *m, const struct sct_group_rule *r,
                                  sct_error *err)
{
    const char *frozen = NULL;
    char names[300];
    for (uint32_t i = 0; i < m->n_param && !frozen; i++)
        if (!m->param[i]->is_index && sct_pattern_match(r->pattern, m->param[i]->name))
            frozen = m->param[i]->name;
    near_names(m, r->pattern, names, sizeof names);
    if (frozen)
        return sct_fail(err, SCT_EUSAGE,
                        "%s: \"%.100s\" matches frozen parameters only, as %.80s; trained are, "
                        "among others, %s",
                        r->where, r->pattern, frozen, names);
    return sct_fail(err, SCT_EUSAGE, "%s: \"%.100s\" matches no trained parameter; near are %s",
                    r->where, r->pattern, names);
}

/* Of several rules that match, the last one that has a factor counts. */
static void apply_rules(const struct sct_settings_run *r, struct sct_param *p, bool *used)
{
    float lr = 1.0f, wd = 1.0f;
    for (uint32_t k = 0; k < r->n_group; k++) {
        const struct sct_group_rule *rule = &r->group[k];
        if (!sct_pattern_match(rule->pattern, p->name))
            continue;
        used[k] = true;
        lr = rule->has_lr ? rule->lr_mult : lr;
        wd = rule->has_wd ? rule->wd_mult : wd;
    }
    p->group.lr_mult *= lr;
    p->group.wd_mult *= wd;
}

sct_status sct_optim_groups(struct sct_model *m, const struct sct_settings_run *r,
                            sct_error *err)
{
    const struct sct_settings *s = &r->s;
    char text[32];
    sct_format_f32(text, s->layer_decay); /* 0.75 as typed, not as rounded to float */
    double decay = 1.0;
    (void)sct_scan_f64(text, &decay);
    if (s->ema_warmup && !(s->ema > 0.0f))
        return sct_fail(err, SCT_EUSAGE, "--ema-warmup needs the decay, as --ema 0.9998");
    bool *used = sct_calloc(r->n_group + 1u, sizeof *used);
    if (!used)
        return sct_nomem(err);
    for (uint32_t i = 0; i < m->n_param; i++) {
        struct sct_param *p = m->param[i];
        if (!p->trainable)
            continue;
        if (s->layer_decay < 1.0f)
            layer_decay(m, p, decay);
        if (s->weight_decay_on == SCT_DECAY_MATRICES && !sct_layer_decays(p))
            p->group.wd_mult = 0.0f;
        apply_rules(r, p, used);
    }
    sct_status rc = SCT_OK;
    for (uint32_t k = 0; k < r->n_group && rc == SCT_OK; k++)
        if (!used[k])
            rc = nothing_matches(m, &r->group[k], err);
    sct_free(used);
    return rc;
}

bool sct_optim_idle(const struct sct_model *m, const struct sct_settings_run *r)
{
    for (uint32_t i = 0; i < m->n_param && r->s.lr != 0.0f; i++)
        if (m->param[i]->trainable && m->param[i]->group.lr_mult != 0.0f)
            return false;
    return true;
}

bool sct_optim_row_has(const struct sct_optim_row *row, const struct sct_param *p)
{
    return p->trainable && row->lr_mult == p->group.lr_mult && row->wd_mult == p->group.wd_mult;
}

sct_status sct_optim_rows(const struct sct_model *m, struct sct_optim_row **row, uint32_t *n,
                          sct_error *err)
{
    *n = 0;
    *row = sct_calloc(m->n_param + 1u, sizeof **row);
    if (!*row)
        return sct_nomem(err);
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        uint32_t k = 0;
        if (!p->trainable)
            continue;
        while (k < *n && !sct_optim_row_has(&(*row)[k], p))
            k++;
        struct sct_optim_row *r = &(*row)[k];
        if (k == *n)
            *r = (struct sct_optim_row){p->group.lr_mult, p->group.wd_mult, 0, 0, p->name};
        *n += k == *n;
        r->tensors++;
        r->parameters += sct_desc_count(&p->t->desc);
    }
    return SCT_OK;
}
