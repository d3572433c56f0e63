/* What the files of this room share: life, settings, commands and metrics, which module.c lists. */
#pragma once
#include "core/registry/api.h"
#include "core/registry/metrics.h"
#include "guard/ban_i.h"
#include "guard/fraud_i.h"
#include "guard/guard.h"

struct store;
struct xml_node;

/* ---- bans.c ---- */
ON_CTL int bans_start(struct store *s); /* s NULL: nothing outlives a restart */
ON_CTL void bans_stop(void);
ON_CTL void bans_conf_read(void);
ON_CTL const struct ban_conf *bans_conf(void);
ON_CTL struct ban_table *bans_table(void);
/* By an operator. seconds 0: until it is removed. ST_DENIED: the address is never banned. */
ON_CTL int bans_add(const struct addr *src, struct sv user, const char *reason, uint32_t seconds);
ON_CTL bool bans_remove(const struct addr *src, struct sv user);
ON_CTL size_t bans_flush(void);
ON_CTL const char *bans_allow(void);
struct bans_counts {
	uint64_t failed, unproved, begun, dropped, refused;
};
ON_CTL const struct bans_counts *bans_counts(void);
ON_CTL int64_t bans_wall_us(int64_t mono_us); /* what a time of a ban is on the wall */

/* ---- rate.c ---- */
ON_CTL int rates_start(void);
ON_CTL void rates_stop(void);
ON_CTL void rates_each(
    void (*fn)(const char *what, struct sv who, unsigned now, unsigned in_minute, uint64_t refused, void *arg),
    void *arg);
ON_CTL uint64_t rates_refused(void);
ON_CTL size_t rates_count(void);

/* ---- frauds.c ---- */
ON_CTL int frauds_start(struct store *s);
ON_CTL void frauds_stop(void);
ON_CTL void frauds_conf_read(void);
ON_CTL struct fraud_table *frauds_table(void);
ON_CTL const struct fraud_conf *frauds_conf(void);
ON_CTL size_t frauds_release(struct sv account); /* empty: all; how many */
ON_CTL uint64_t frauds_refused(void);
ON_CTL void frauds_blocks_each(
    void (*fn)(struct sv account, int64_t since_s, int64_t until_s /* 0: until released */, void *arg), void *arg);

/* ---- commands ---- */
ON_CTL int api_ban(struct api_call *c);
ON_CTL int api_rates(struct api_call *c);
ON_CTL int api_fraud(struct api_call *c);
/* The next word of *rest; "" when there is none. */
ANY struct sv guard_word(struct sv *rest);
/* A duration as people read it: "2h 5m". */
ANY void guard_put_span(struct buf *out, int64_t us);
/* Numbers of a settings node; fallback where there is none or it is none (logged). */
ON_CTL unsigned guard_number(const struct xml_node *settings, const char *file, const char *name, unsigned fallback);
