/* SPDX-License-Identifier: MIT
 * abi_layout.c - prints every offset, size and enumerator of the module ABIs.
 * abi.golden holds the output for 64-bit machines; abi.py lets it grow at the end of a section
 * only. A struct whose last member is not listed here ends the program with 1. */
#include <sctrun/backend.h>
#include <sctrun/strategy.h>

static int missing;

static void member(const char *name, size_t offset, size_t size)
{
    printf("%-12s %4zu %3zu\n", name, offset, size);
}

/* FIXED: also embedded by value or in arrays, so its size is the ABI. GROWS: reached by pointer
 * only and knows its size, or only ever read up to the size its writer knew. */
static void ends(const char *type, size_t end, size_t align, size_t size, int fixed)
{
    if (fixed)
        printf("%-12s %4zu\n", "sizeof", size);
    if ((end + align - 1) / align * align != size) {
        fprintf(stderr, "%s has members that are not listed: it ends at %zu of %zu bytes\n",
                type, end, size);
        missing = 1;
    }
}

#define M(MEMBER) member(#MEMBER, offsetof(T, MEMBER), sizeof((T *)0)->MEMBER)
#define END(TYPE, LAST, FIXED)                                                                 \
    ends(TYPE, offsetof(T, LAST) + sizeof((T *)0)->LAST, _Alignof(T), sizeof(T), FIXED)
#define FIXED 1
#define GROWS 0

static void base(void)
{
    printf("[statuses]\n");
#define STATUS(ID, VALUE, TEXT) printf("%-12s %4d\n", #ID, SCT_##ID);
    SCT_STATUS_MAP(STATUS)
#undef STATUS
    printf("[dtypes]\n");
#define DTYPE(ID, VALUE, NAME, BYTES) printf("%-12s %4d %3d\n", NAME, SCT_##ID, BYTES);
    SCT_DTYPE_MAP(DTYPE)
#undef DTYPE
    printf("[limits]\n");
    printf("%-12s %4d\n", "in", SCT_MAX_IN);
    printf("%-12s %4d\n", "out", SCT_MAX_OUT);
    printf("%-12s %4d\n", "dims", SCT_MAX_DIMS);
    printf("%-12s %4d\n", "align", SCT_ALIGN);
    {
        typedef sct_error T;
        printf("[sct_error]\n");
        M(code), M(msg);
        END("sct_error", msg, FIXED);
    }
    {
        typedef struct sct_desc T;
        printf("[struct sct_desc]\n");
        M(dtype), M(nd), M(dim), M(layout);
        END("sct_desc", layout, FIXED);
    }
    {
        typedef sct_val T;
        printf("[sct_val]\n");
        M(id);
        END("sct_val", id, FIXED);
    }
    {
        typedef struct sct_builder T;
        printf("[struct sct_builder]\n");
        M(size), M(emit), M(desc);
        END("sct_builder", desc, GROWS);
    }
}

static void ops(void)
{
    printf("[ops]\n");
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    printf("%-18s %3d in %d-%d out %d %s 0x%03x\n", #NAME, SCT_OP_##ID, IN_MIN, IN_MAX, OUT,   \
           #PARAMS, (unsigned)(FLAGS));
#include <sctrun/ops.def>
#undef SCT_OP
    printf("[sites]\n");
#define SCT_SITE(ID, NAME, KIND) printf("%-12s %4d %d\n", NAME, SCT_ROLE_##ID, SCT_SITE_##KIND);
#include <sctrun/sites.def>
#undef SCT_SITE
    printf("[op flags]\n");
    printf("%-12s %4u\n", "inplace", (unsigned)SCT_OPF_INPLACE);
    printf("%-12s %4u\n", "accum", (unsigned)SCT_OPF_ACCUM);
    printf("%-12s %4u\n", "update", (unsigned)SCT_OPF_UPDATE);
    printf("%-12s %4u\n", "random", (unsigned)SCT_OPF_RANDOM);
    printf("%-12s %4u\n", "view", (unsigned)SCT_OPF_VIEW);
    printf("%-12s %4u\n", "feed", (unsigned)SCT_OPF_FEED);
    printf("%-12s %4u\n", "emit", (unsigned)SCT_OPF_EMIT);
    printf("%-12s %4u\n", "fused", (unsigned)SCT_OPF_FUSED);
    printf("%-12s %4u\n", "move", (unsigned)SCT_OPF_MOVE);
    printf("[gelu]\nerf %d\ntanh %d\nquick %d\n", SCT_GELU_ERF, SCT_GELU_TANH, SCT_GELU_QUICK);
}

#define PARAMS(NAME)                                                                           \
    typedef struct sct_##NAME##_params T;                                                      \
    printf("[struct sct_" #NAME "_params]\n");

static void op_params(void)
{
    {
        PARAMS(no) M(unused);
        END("sct_no_params", unused, GROWS);
    }
    {
        PARAMS(reshape) M(nd), M(dim);
        END("sct_reshape_params", dim, GROWS);
    }
    {
        PARAMS(cast) M(dtype);
        END("sct_cast_params", dtype, GROWS);
    }
    {
        PARAMS(fill) M(value), M(nd), M(dim);
        END("sct_fill_params", dim, GROWS);
    }
    {
        PARAMS(zero) M(nd), M(dim);
        END("sct_zero_params", dim, GROWS);
    }
    {
        PARAMS(pack) M(layout);
        END("sct_pack_params", layout, GROWS);
    }
    {
        PARAMS(patchify) M(patch), M(channels), M(height), M(width);
        END("sct_patchify_params", width, GROWS);
    }
    {
        PARAMS(scale) M(mul), M(add);
        END("sct_scale_params", add, GROWS);
    }
    {
        PARAMS(gelu) M(kind);
        END("sct_gelu_params", kind, GROWS);
    }
    {
        PARAMS(norm) M(eps);
        END("sct_norm_params", eps, GROWS);
    }
    {
        PARAMS(attention) M(heads), M(scale);
        END("sct_attention_params", scale, GROWS);
    }
}

static void more_params(void)
{
    {
        PARAMS(wattention) M(heads), M(scale), M(grid_h), M(grid_w), M(win_h), M(win_w);
        M(shift_h), M(shift_w);
        END("sct_wattention_params", shift_w, GROWS);
    }
    {
        PARAMS(range) M(first), M(count), M(total);
        END("sct_range_params", total, GROWS);
    }
    {
        PARAMS(grid) M(h), M(w), M(out_h), M(out_w), M(roll_h), M(roll_w);
        END("sct_grid_params", roll_w, GROWS);
    }
    {
        PARAMS(channels) M(channels);
        END("sct_channels_params", channels, GROWS);
    }
    {
        PARAMS(random) M(key), M(rate), M(off);
        END("sct_random_params", off, GROWS);
    }
    {
        PARAMS(xent) M(smoothing);
        END("sct_xent_params", smoothing, GROWS);
    }
    {
        PARAMS(clip) M(max_norm);
        END("sct_clip_params", max_norm, GROWS);
    }
    {
        PARAMS(adamw) M(lr_mult), M(weight_decay), M(beta1), M(beta2), M(eps);
        END("sct_adamw_params", eps, GROWS);
    }
    {
        PARAMS(sgd) M(lr_mult), M(weight_decay), M(momentum), M(nesterov);
        END("sct_sgd_params", nesterov, GROWS);
    }
    {
        PARAMS(observe) M(skip), M(any_class);
        END("sct_observe_params", any_class, GROWS);
    }
    {
        PARAMS(module) M(scale), M(first);
        END("sct_module_params", first, GROWS);
    }
    {
        PARAMS(ema) M(weight), M(warmup);
        END("sct_ema_params", warmup, GROWS);
    }
}

static void program(void)
{
    printf("[segments]\nsetup %d\nprologue %d\nbody %d\nepilogue %d\n", SCT_SEG_SETUP,
           SCT_SEG_PROLOGUE, SCT_SEG_BODY, SCT_SEG_EPILOGUE);
    printf("[scopes]\nconst %d\npersist %d\nstep %d\nlane %d\nbatch %d\nslots %d\n", SCT_CONST,
           SCT_PERSIST, SCT_STEP, SCT_LANE, SCT_BATCH, SCT_SLOTS);
    {
        typedef struct sct_place T;
        printf("[struct sct_place]\n");
        M(scope), M(buf), M(off), M(len), M(stride);
        END("sct_place", stride, FIXED);
    }
    {
        typedef struct sct_opdesc T;
        printf("[struct sct_opdesc]\n");
        M(size), M(op), M(n_in), M(n_out), M(in), M(out), M(cls), M(segment), M(alias_in0);
        M(team), M(params);
        END("sct_opdesc", params, FIXED);
    }
    {
        typedef struct sct_choice T;
        printf("[struct sct_choice]\n");
        M(size), M(row), M(order), M(pack_in), M(scratch);
        END("sct_choice", scratch, FIXED);
    }
    {
        typedef struct sct_node T;
        printf("[struct sct_node]\n");
        M(d), M(c), M(in), M(out), M(scratch), M(label);
        END("sct_node", label, FIXED);
    }
    {
        typedef struct sct_segment T;
        printf("[struct sct_segment]\n");
        M(kind), M(n), M(node);
        END("sct_segment", node, FIXED);
    }
    {
        typedef struct sct_micro T;
        printf("[struct sct_micro]\n");
        M(first), M(count), M(slot);
        END("sct_micro", slot, FIXED);
    }
    {
        typedef struct sct_shape T;
        printf("[struct sct_shape]\n");
        M(size), M(lanes), M(b), M(team), M(slots);
        END("sct_shape", slots, FIXED);
    }
    {
        typedef struct sct_progdesc T;
        printf("[struct sct_progdesc]\n");
        M(size), M(n_seg), M(seg), M(shape), M(batch), M(slots), M(n_micro), M(lane_slabs);
        M(micro);
        END("sct_progdesc", micro, GROWS);
    }
}

static void backend(void)
{
    printf("[devices]\ncpu %d\ngpu %d\nother %d\n", SCT_DEV_CPU, SCT_DEV_GPU, SCT_DEV_OTHER);
    {
        typedef struct sct_load T;
        printf("[struct sct_load]\n");
        M(size), M(batch), M(slots), M(want_b), M(want_lanes), M(lane_bytes_b1), M(accum_bytes);
        M(budget);
        END("sct_load", budget, GROWS);
    }
    {
        typedef struct sct_step_state T;
        printf("[struct sct_step_state]\n");
        M(seed), M(step), M(lr), M(valid);
        END("sct_step_state", valid, FIXED);
    }
    {
        typedef struct sct_device_info T;
        printf("[struct sct_device_info]\n");
        M(size), M(kind), M(usable), M(threads), M(memory), M(max_alloc), M(id), M(platform);
        M(name), M(vendor), M(driver), M(status);
        END("sct_device_info", status, GROWS);
    }
    {
        typedef struct sct_host T;
        printf("[struct sct_host]\n");
        M(abi), M(size), M(ctx), M(log), M(opt);
        END("sct_host", opt, GROWS);
    }
    {
        typedef struct sct_backend T;
        printf("[struct sct_backend]\nabi %u\nentry %s\n", SCT_BACKEND_ABI, SCT_BACKEND_ENTRY);
        M(abi), M(size), M(name), M(summary), M(count), M(info), M(open), M(close), M(bytes);
        M(probe), M(rows), M(shape), M(buf_new), M(buf_free), M(write), M(read), M(bind);
        M(place), M(step), M(run), M(sync), M(drop), M(profile), M(usage);
        M(buf_over);
        END("sct_backend", buf_over, GROWS);
    }
}

static void strategy(void)
{
    printf("[watches]\nsumsq_label %d\ngrad_sumsq %d\n", SCT_WATCH_SUMSQ_LABEL,
           SCT_WATCH_GRAD_SUMSQ);
    printf("[lists]\ntrain %d\ntest %d\n", SCT_LIST_TRAIN, SCT_LIST_TEST);
    printf("[option types]\nbool %d\nuint %d\nfloat %d\nstring %d\nchoice %d\ncount %d\n",
           SCT_OPT_BOOL, SCT_OPT_UINT, SCT_OPT_FLOAT, SCT_OPT_STRING, SCT_OPT_CHOICE,
           SCT_OPT_COUNT);
    {
        typedef struct sct_site T;
        printf("[struct sct_site]\n");
        M(size), M(id), M(kind), M(role), M(stage), M(block), M(channels), M(in_channels);
        M(tokens), M(prefix_tokens), M(grid_h), M(grid_w), M(qkv), M(in), M(out), M(weight);
        M(bias), M(path);
        END("sct_site", path, FIXED);
    }
    {
        typedef struct sct_protocol T;
        printf("[struct sct_protocol]\n");
        M(size), M(train_mode), M(batch), M(max_batches), M(shuffle), M(list), M(any_class);
        M(skip_prefix);
        END("sct_protocol", skip_prefix, GROWS);
    }
    {
        typedef struct sct_group T;
        printf("[struct sct_group]\n");
        M(size), M(lr_mult), M(wd_mult);
        END("sct_group", wd_mult, GROWS);
    }
    {
        typedef struct sct_count T;
        printf("[struct sct_count]\n");
        M(number), M(num), M(den);
        END("sct_count", den, FIXED);
    }
    {
        typedef struct sct_option T;
        printf("[struct sct_option]\n");
        M(key), M(help), M(type), M(offset), M(def), M(min), M(max), M(def_str);
        END("sct_option", def_str, FIXED);
    }
    printf("[table forms]\ntensor %d\nsizes %d\nnumpy %d\n", SCT_TABLE_TENSOR, SCT_TABLE_SIZES,
           SCT_TABLE_NUMPY);
    {
        typedef struct sct_table_form T;
        printf("[struct sct_table_form]\n");
        M(name), M(form);
        END("sct_table_form", form, FIXED);
    }
}

static void strategy_tables(void)
{
    {
        typedef struct sct_strategy_host T;
        printf("[struct sct_strategy_host]\n");
        M(abi), M(size), M(alloc), M(free), M(log), M(fail), M(sites), M(params), M(param_name);
        M(param_desc), M(classes), M(watch), M(reading), M(edit_begin), M(edit_commit);
        M(new_param), M(new_index), M(train), M(train_some), M(random_key), M(get), M(put);
        M(put_key), M(get_key), M(tensor_name), M(dry_run), M(table_read), M(table_new);
        M(table_close), M(table_write), M(key_name), M(match), M(param_value);
        M(new_row_norms), M(edited), M(seed), M(given);
        END("sct_strategy_host", given, GROWS);
    }
    {
        typedef struct sct_strategy T;
        printf("[struct sct_strategy]\nabi %u\nentry %s\n", SCT_STRATEGY_ABI,
               SCT_STRATEGY_ENTRY);
        M(abi), M(size), M(name), M(summary), M(options), M(state_size), M(observe), M(choose);
        M(apply), M(save), M(load), M(fini), M(to_disk), M(from_disk);
        END("sct_strategy", from_disk, GROWS);
    }
}

int main(void)
{
    if (sizeof(void *) != 8 || sizeof(size_t) != 8) {
        printf("the golden layout is that of 64-bit machines\n");
        return 77;
    }
    base();
    ops();
    op_params();
    more_params();
    program();
    backend();
    strategy();
    strategy_tables();
    return missing;
}
