/* mod_avmd's settings: FreeSWITCH's names, which avmd.conf, `avmd set` and the words of a start give values, and ours.
 * Its detector counts samples of a transform that ours does not have (dsp/avmd.h): the settings of that are read,
 * checked and shown, as a program that gives them must go on. */
#include "amd/amd_i.h"
#include "base/log.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KIND_BOOL, KIND_NUMBER, KIND_SIDE };
static const struct {
	const char *name, *shown;
	int kind, least, most;
} keys[AVMD_KEY_COUNT] = {
    [AVMD_DEBUG] = {"debug", "debug", KIND_BOOL, 0, 1},
    [AVMD_REPORT_STATUS] = {"report_status", "report status", KIND_BOOL, 0, 1},
    [AVMD_FAST_MATH] = {"fast_math", "fast_math", KIND_BOOL, 0, 1},
    [AVMD_STREAK] = {"require_continuous_streak", "require continuous streak", KIND_BOOL, 0, 1},
    [AVMD_STREAK_N] = {"sample_n_continuous_streak", "sample n continuous streak", KIND_NUMBER, 0, 65535},
    [AVMD_SKIP_N] = {"sample_n_to_skip", "sample n to skip", KIND_NUMBER, 0, 65535},
    [AVMD_STREAK_AMP] = {"require_continuous_streak_amp", "require continuous streak amp", KIND_BOOL, 0, 1},
    [AVMD_STREAK_AMP_N] = {"sample_n_continuous_streak_amp", "sample n continuous streak amp", KIND_NUMBER, 0, 65535},
    [AVMD_SIMPLIFIED] = {"simplified_estimation", "simplified estimation", KIND_BOOL, 0, 1},
    [AVMD_INBOUND] = {"inbound_channel", "inbound channel", KIND_BOOL, 0, 1},
    [AVMD_OUTBOUND] = {"outbound_channel", "outbound channel", KIND_BOOL, 0, 1},
    [AVMD_MODE] = {"detection_mode", "detection mode", KIND_NUMBER, 0, 2},
    [AVMD_DETECTORS] = {"detectors_n", "detectors n", KIND_NUMBER, 0, 255},
    [AVMD_LAGGED] = {"detectors_lagged_n", "detectors lagged n", KIND_NUMBER, 0, 255},
    [AVMD_MIN_HZ] = {"min_frequency", "min frequency", KIND_NUMBER, 200, 3400},
    [AVMD_MAX_HZ] = {"max_frequency", "max frequency", KIND_NUMBER, 200, 3400},
    [AVMD_MIN_MS] = {"min_duration", "min duration", KIND_NUMBER, 40, 20 * AVMD_BLOCKS_MAX},
    [AVMD_SIDE] = {"side", "side", KIND_SIDE, 0, 3},
};
static const char *const sides[] = {"auto", "read", "write", "both"};

static struct avmd_settings now;

static bool value_read(int key, const char *value, int *out)
{
	char *end;
	if (!value || !*value)
		return false;
	if (keys[key].kind == KIND_BOOL) {
		*out = str_is_true(value);
		return true;
	}
	for (int i = 0; keys[key].kind == KIND_SIDE && i < 4; i++)
		if (!strcasecmp(value, sides[i])) {
			*out = i;
			return true;
		}
	long n = strtol(value, &end, 10);
	*out = (int)n;
	return keys[key].kind == KIND_NUMBER && !*end && n >= keys[key].least && n <= keys[key].most;
}

bool avmd_setting_read(struct avmd_settings *s, const char *name, const char *value)
{
	int n;
	for (int i = 0; i < AVMD_KEY_COUNT; i++)
		if (!strcasecmp(name, keys[i].name)) {
			if (!value_read(i, value, &n))
				return false;
			s->v[i] = n;
			return true;
		}
	return false;
}

const struct avmd_settings *avmd_settings(void)
{
	return &now;
}

static ON_CTL void defaults_take(void)
{
	for (int i = 0; i < AVMD_KEY_COUNT; i++)
		(void)value_read(i, amd_param_default("avmd.conf", keys[i].name), &now.v[i]);
}

static void conf_take(void *arg)
{
	role_assert_ctl();
	defaults_take();
	for (int i = 0; i < AVMD_KEY_COUNT; i++)
		if (!avmd_setting_read(&now, keys[i].name, amd_param("avmd.conf", keys[i].name)))
			log_error("avmd.conf: %s has a value that it cannot have: its default is taken", keys[i].name);
}

static ON_CTL void direction_take(bool is_inbound)
{
	now.v[AVMD_INBOUND] = is_inbound, now.v[AVMD_OUTBOUND] = !is_inbound;
}

int avmd_conf_start(void)
{
	conf_take(NULL);
	return config_on_swap(conf_take, NULL);
}

void avmd_conf_stop(void)
{
	config_on_swap_del(conf_take, NULL);
}

/* A direction's word: 1 inbound, 0 outbound, -1 another. */
static int direction_of(const char *word)
{
	return !strcasecmp(word, "inbound") ? 1 : !strcasecmp(word, "outbound") ? 0 : -1;
}

static ON_CTL void show(struct buf *out)
{
	buf_adds(out, "\nAvmd global settings\n\n");
	for (int i = 0; i < AVMD_KEY_COUNT; i++) {
		if (keys[i].kind == KIND_SIDE)
			buf_printf(out, "%-31s\t%s\n", keys[i].shown, sides[now.v[i]]);
		else
			buf_printf(out, "%-31s\t%d\n", keys[i].shown, now.v[i]);
	}
	buf_printf(out, "%-31s\t%u\n\n+OK\n show\n\n", "sessions", avmd_sessions());
}

bool avmd_conf_command(struct buf *out, const char *verb, const char *word)
{
	int direction = direction_of(word);
	if (!strcasecmp(verb, "show")) {
		show(out);
	} else if (!strcasecmp(verb, "reload")) {
		conf_take(NULL);
		buf_adds(out, "+OK\n XML reloaded\n\n");
	} else if (!strcasecmp(verb, "load") && direction >= 0) {
		conf_take(NULL);
		direction_take(direction > 0);
		buf_printf(out, "+OK\n %s XML configuration loaded\n\n", direction ? "inbound" : "outbound");
	} else if (!strcasecmp(verb, "set") && direction >= 0) {
		direction_take(direction > 0);
		buf_printf(out, "+OK\n %s XML configuration loaded\n\n", direction ? "inbound" : "outbound");
	} else if (!strcasecmp(verb, "set") && !strcasecmp(word, "default")) {
		defaults_take();
		buf_adds(out, "+OK\n reset to factory settings\n\n");
	} else if (!strcasecmp(verb, "load") || !strcasecmp(verb, "set")) {
		buf_printf(out, "-ERR, %s command: inbound, outbound%s\n", verb,
		    !strcasecmp(verb, "set") ? " or default" : "");
	} else {
		return false;
	}
	return true;
}

void avmd_settings_tell(struct leg *leg, const struct avmd_settings *s)
{
	struct buf text;
	buf_init(&text);
	for (int i = 0; i < AVMD_KEY_COUNT; i++)
		buf_printf(&text, "%s%s [%d]", i ? ", " : "", keys[i].name, s->v[i]);
	if (!text.failed)
		leg_log(leg, LOG_INFO, "avmd: %s", text.p);
	buf_fini(&text);
}
