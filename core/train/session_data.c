/* SPDX-License-Identifier: MIT
 * session_data.c - the pictures of a session: data, preprocessing, loaders. */
#include "core/train/session_impl.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/data/preprocess_io.h"
#include "core/data/scan.h"
#include "core/io/text.h"

/* The decimal number that a float stands for. As doubles, 224 / 0.8 is 280, and 224 / 0.8f is
 * 279.99, which is another picture. */
static double decimal(float v)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.7g", (double)v);
    return strtod(text, NULL);
}

/* What the weights come with, or else the model's. */
static sct_status own_preprocess(struct sct_session *x, sct_error *err)
{
    const struct sct_model_folder *f = &x->base.file.folder;
    const bool asked =
        x->s->preprocess || sct_opts_source(x->run->opts, "resize") != SCT_OPT_DEFAULT;
    struct sct_preprocess *p = &x->pre;
    uint32_t made = 0;
    sct_error why = SCT_ERROR_INIT;
    sct_preprocess_default(p);
    p->size = x->cfg.image;
    p->crop_pct = decimal(x->cfg.crop_pct);
    memcpy(p->mean, x->cfg.mean, sizeof p->mean);
    memcpy(p->std, x->cfg.std, sizeof p->std);
    if (!sct_model_folder_prepares(f))
        return SCT_OK;
    struct sct_preprocess own;
    const sct_status rc = sct_model_folder_preprocess(f, p->size, &own, &made, &why);
    if (rc != SCT_OK && (rc == SCT_ENOMEM || !asked))
        return sct_fail(err, rc, "%s", why.msg);
    if (rc == SCT_OK)
        *p = own;
    if (made)
        sct_session_say(
            x, SCT_LOG_INFO,
            "%.200s prepares pictures for %u pixels, the model takes %u: in proportion",
            f->pre ? f->pre_path : f->config_path, made, p->size);
    return SCT_OK;
}

/* Weakest first: the adapter's, the folder's or the model's, --preprocess, the single options.
 */
sct_status sct_session_open_preprocess(struct sct_session *x, sct_error *err)
{
    const struct sct_settings *s = x->s;
    const struct sct_opts *o = x->run->opts;
    struct sct_preprocess *p = &x->pre;
    const bool own = x->adapter != NULL; /* then only what was asked for differs from it */
    if (own) {
        *p = x->info.pre;
    } else {
        SCT_TRY(own_preprocess(x, err));
    }
    if (s->preprocess)
        SCT_TRY(sct_preprocess_load(p, s->preprocess, err));
    if (sct_opts_source(o, "resize") != SCT_OPT_DEFAULT)
        sct_preprocess_set_mode(p, (enum sct_resize_mode)s->resize);
    if (sct_opts_source(o, "pass_order") != SCT_OPT_DEFAULT)
        p->order = (enum sct_pass_order)s->pass_order;
    if (s->crop_pct > 0)
        sct_preprocess_set_crop_pct(p, decimal(s->crop_pct));
    if (s->mean)
        SCT_TRY(sct_parse_triple(s->mean, "--mean", p->mean, err));
    if (s->std)
        SCT_TRY(sct_parse_triple(s->std, "--std", p->std, err));
    if (own && sct_preprocess_hash(p) != sct_preprocess_hash(&x->info.pre))
        sct_session_say(
            x, SCT_LOG_WARN,
            "pictures are prepared otherwise than %s was trained with: as asked for",
            x->adapter);
    return sct_preprocess_check(p, err);
}

sct_status sct_session_open_data(struct sct_session *x, uint32_t need, sct_error *err)
{
    struct sct_class_map known = {0};
    bool found = false;
    if (x->share)
        SCT_TRY(sct_share_get_data(x, need, &found, err));
    if (found)
        return SCT_OK;
    if (x->adapter)
        SCT_TRY(sct_adapter_classes(&x->info, &known, err));
    const struct sct_data_ask ask = {.s = x->s,
                                     .train = (need & SCT_NEED_TRAIN) != 0,
                                     .test = (need & SCT_NEED_TEST) != 0,
                                     .known = known.count ? &known : NULL,
                                     .folder_order = x->adapter ? x->info.folder_order : "",
                                     .say = x->log,
                                     .say_ctx = x->log_ctx};
    const sct_status rc = sct_data_open(&ask, &x->train, &x->test, &x->about, err);
    sct_class_map_fini(&known);
    return rc;
}

static uint32_t loader_threads(const struct sct_session *x)
{
    const uint32_t threads = x->s->threads ? x->s->threads : 2;
    return threads > 4 ? 4 : threads;
}

/* Leaves the unreadable ones of the first `limit` images (0: all) out of a source, and then
 * those behind them. */
static sct_status skip_bad_of(struct sct_session *x, struct sct_source *src, uint32_t limit,
                              struct sct_str *report, sct_error *err)
{
    const uint32_t count = sct_source_count(src);
    const uint32_t n = limit && limit < count ? limit : count;
    uint32_t skipped = 0;
    uint8_t *bad = sct_calloc(count, 1);
    if (!bad)
        return sct_nomem(err);
    sct_session_say(x, SCT_LOG_INFO, "reading all %u images of %s once: --skip-bad", n,
                    sct_source_origin(src));
    sct_status rc = sct_scan(src, &x->pre, n, loader_threads(x), bad, report, err);
    for (uint32_t i = 0; i < n; i++)
        skipped += bad[i];
    memset(bad + n, 1, count - n);
    if (rc == SCT_OK && skipped)
        rc = sct_source_drop(src, bad, err);
    if (rc == SCT_OK && skipped)
        sct_session_say(x, SCT_LOG_WARN,
                        "%u of %u images of %s cannot be read and are left out", skipped, n,
                        sct_source_origin(src));
    x->n_skipped += rc == SCT_OK ? skipped : 0;
    sct_free(bad);
    return rc;
}

/* Narrates the report: the first lines of it, and how many more there are. */
static void say_skipped(const struct sct_session *x)
{
    uint32_t shown = 0;
    for (const char *p = x->skipped; *p && shown < 10; shown++) {
        const size_t n = strcspn(p, "\n");
        sct_session_say(x, SCT_LOG_WARN, "left out: %.*s", (int)n, p);
        p += n + (p[n] == '\n');
    }
    if (x->n_skipped > shown)
        sct_session_say(x, SCT_LOG_WARN, "left out: %u more", x->n_skipped - shown);
}

sct_status sct_session_skip_bad(struct sct_session *x, sct_error *err)
{
    struct sct_str report = {0};
    sct_status rc = SCT_OK;
    if (x->train && sct_source_reads_files(x->train))
        rc = skip_bad_of(x, x->train, 0, &report, err);
    if (rc == SCT_OK && x->test && sct_source_reads_files(x->test))
        rc = skip_bad_of(x, x->test, x->s->test_limit, &report, err);
    if (rc == SCT_OK && x->n_skipped && !(x->skipped = sct_str_take(&report)))
        rc = sct_nomem(err);
    if (rc == SCT_OK && x->n_skipped)
        say_skipped(x);
    sct_str_free(&report);
    return rc;
}

/* The images of a loader at most, within the budget; the test set gets what is left. */
sct_status sct_session_open_loaders(struct sct_session *x, uint32_t batch, sct_error *err)
{
    const struct sct_settings *s = x->s;
    uint64_t budget;
    SCT_TRY(sct_parse_bytes(s->feature_bytes, "--feature-bytes", &x->feature_bytes, err));
    if (x->borrowed & SCT_SHARED_DATA)
        return SCT_OK; /* with their loaders */
    SCT_TRY(sct_parse_bytes(s->cache_bytes, "--cache-bytes", &budget, err));
    uint32_t side;
    (void)sct_preprocess_fixed(&x->pre, &x->pre.train, &side);
    const uint64_t image = (uint64_t)x->pre.size * x->pre.size * 3 + 1; /* and its state */
    const uint64_t kept = side ? (uint64_t)side * side * 3 + 1 : 0;
    struct sct_loader_opts o = {x->pre, batch, loader_threads(x), 2, budget, x->seed};
    if (x->train) {
        const uint64_t want = kept * sct_source_count(x->train);
        o.cache_bytes = want < budget ? want : budget;
        SCT_TRY(sct_loader_create(&x->train_loader, x->train, &o, err));
        budget -= o.cache_bytes;
    }
    if (x->test) {
        const uint64_t want = image * sct_source_count(x->test);
        o.cache_bytes = want < budget ? want : budget;
        o.pre.train = o.pre.eval; /* of which all can be kept */
        SCT_TRY(sct_loader_create(&x->test_loader, x->test, &o, err));
    }
    const uint32_t need = (x->train ? SCT_NEED_TRAIN : 0u) | (x->test ? SCT_NEED_TEST : 0u);
    return x->share ? sct_share_put_data(x, need, batch, err) : SCT_OK;
}

sct_status sct_session_loader(const struct sct_session *x, uint32_t batch,
                              struct sct_loader **out, sct_error *err)
{
    const struct sct_loader_opts o = {x->pre, batch, loader_threads(x), 2, 0, x->seed};
    return sct_loader_create(out, x->train, &o, err);
}
