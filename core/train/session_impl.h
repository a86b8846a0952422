/* SPDX-License-Identifier: MIT
 * session_impl.h - the steps of opening a session, in their order. Private to session*.c. */
#ifndef SCT_TRAIN_SESSION_IMPL_H
#define SCT_TRAIN_SESSION_IMPL_H

#include "core/train/session.h"

/* Which architecture, from which file: x->cfg, x->weights, x->base. */
sct_status sct_session_open_base(struct sct_session *x, sct_error *err);
/* x->train, x->test: what of them the command needs (enum sct_session_need). */
sct_status sct_session_open_data(struct sct_session *x, uint32_t need, sct_error *err);
/* x->pre; weakest first: the adapter's or the model's, --preprocess, the single options. */
sct_status sct_session_open_preprocess(struct sct_session *x, sct_error *err);
/* --skip-bad: reads all images once; x->skipped, x->n_skipped. */
sct_status sct_session_skip_bad(struct sct_session *x, sct_error *err);
/* x->train_loader, x->test_loader, for batches up to `batch`; replaces those that are open. */
sct_status sct_session_open_loaders(struct sct_session *x, uint32_t batch, sct_error *err);
/* A loader of the training images for larger batches, without a cache; the caller's. */
sct_status sct_session_loader(const struct sct_session *x, uint32_t batch,
                              struct sct_loader **out, sct_error *err);

#endif
