/* SPDX-License-Identifier: MIT
 * group_rule.h - one rule about parameters of a run: "PATTERN lr=0.1 wd=0" of --group, or
 * {params: PATTERN, lr_mult: 0.1, wd_mult: 0} of `groups:` in YAML. Pure functions. */
#ifndef SCT_SETTINGS_GROUP_RULE_H
#define SCT_SETTINGS_GROUP_RULE_H

#include <stdbool.h>

#include "core/base/mem.h"
#include "core/io/config.h"

/* Factors of the run's learning rate and weight decay, for parameters whose name matches. */
struct sct_group_rule {
    const char *pattern; /* as in core/peft/pattern.h */
    float lr_mult, wd_mult;
    bool has_lr, has_wd;
    char where[192]; /* "--group", or file:line:column */
};

/* Both check the pattern and the numbers, which are finite and not negative. Strings are copied
 * into the arena. EUSAGE says what is wrong; *r is then undefined. */
sct_status sct_group_rule_text(struct sct_group_rule *r, struct sct_arena *arena,
                               const char *text, sct_error *err);
sct_status sct_group_rule_yaml(struct sct_group_rule *r, struct sct_arena *arena,
                               const struct sct_cfg_node *item, sct_error *err);
/* An item of `groups:`, as a line that reads back as the same rule. */
void sct_group_rule_dump(const struct sct_group_rule *r, struct sct_str *out);

#endif
