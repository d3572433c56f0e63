/* mod_spandsp's applications that listen: keys and a fax's tone by the detectors that dptools' have, and tones with a
 * rhythm, whose descriptors stand in spandsp.conf (or fax.conf, as FreeSWITCH looks for both). A descriptor is read
 * when it is asked for. */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/tap.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FAX_KEY "fax_tone_detect"

/* ---- a fax's tone ---- */

/* app arg [timeout_s] [ced|cng] */
static int app_start_fax_detect(struct leg *leg, const char *data)
{
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 4);

	role_assert_co();
	if (!st && w.n >= 2) {
		int timeout_s = w.w[2] ? atoi(w.w[2]) : 0;
		bool is_answering = w.w[3] && !strcmp(w.w[3], "ced");
		st = leg_tone_detect(leg, &(struct leg_tone){.key = FAX_KEY,
		                              .freqs = is_answering ? "2100.0" : "1100.0",
		                              .flags = "ro",
		                              .hits = 1,
		                              .timeout_s = timeout_s > 0 ? (unsigned)timeout_s : 0,
		                              .is_fax = true,
		                              .app = w.m[0],
		                              .data = w.m[1]});
		if (st && st != ST_HANGUP)
			leg_log(leg, LOG_ERR, "spandsp_start_fax_detect: %s", status_text(st));
	} else if (!st) {
		leg_log(leg, LOG_ERR, "spandsp_start_fax_detect: <app> <arg> [<timeout> [ced|cng]]");
	}
	app_words_fini(&w);
	return st == ST_HANGUP ? st : ST_OK;
}

static int app_stop_fax_detect(struct leg *leg, const char *data)
{
	role_assert_co();
	(void)leg_tone_detect_end(leg, FAX_KEY);
	return ST_OK;
}

/* ---- tones with a rhythm ---- */

static ON_CTL unsigned number_of(const struct xml_node *n, const char *name)
{
	const char *v = xml_attr(n, name);
	int64_t x = v && *v ? str_number(v, 0, UINT16_MAX) : 0;
	return x > 0 ? (unsigned)x : 0;
}

/* The elements of one <tone> behind those that are there. False: too many, or one without "min". */
static ON_CTL bool tone_read(struct media_cadence_conf *c, const struct xml_node *tone, unsigned number)
{
	const struct xml_node *e = xml_child(tone, "element");
	if (!e)
		return false;
	for (; e; e = xml_next(e, "element")) {
		if (c->count == CADENCE_ELEMENTS_MAX || !xml_attr(e, "min"))
			return false;
		c->elements[c->count++] = (struct cadence_element){.tone = number,
		    .hz = {number_of(e, "freq1"), number_of(e, "freq2")},
		    .min_ms = number_of(e, "min"),
		    .max_ms = number_of(e, "max")};
	}
	return true;
}

static ON_CTL const struct xml_node *descriptor_find(const char *name)
{
	static const char *const files[] = {"spandsp.conf", "fax.conf"};
	for (size_t i = 0; i < 2; i++) {
		const struct xml_node *conf = config_conf(files[i]);
		if (conf)
			return xml_child_with(xml_child(conf, "descriptors"), "descriptor", "name", name);
	}
	return NULL;
}

static ON_CTL int descriptor_read(struct leg *leg, struct leg_cadence *c, const char *name)
{
	const struct xml_node *d = descriptor_find(name);
	unsigned n = 0;
	if (!d) {
		leg_log(leg, LOG_WARNING, "spandsp.conf: there is no descriptor \"%s\"", name);
		return ST_NOTFOUND;
	}
	for (const struct xml_node *t = xml_child(d, "tone"); t; t = xml_next(t, "tone"), n++) {
		const char *tone = xml_attr(t, "name");
		if (n == CADENCE_TONES_MAX || !tone || !*tone || !tone_read(&c->conf, t, n)) {
			leg_log(leg, LOG_WARNING,
			    "spandsp.conf: descriptor \"%s\": tone \"%s\" has no name or element, an element without "
			    "min, or is too much",
			    name, tone ? tone : "");
			return ST_INVAL;
		}
		c->names[n] = mem_strdup(tone);
	}
	return ST_OK;
}

static ON_CTL int tones_start(struct leg *leg, const char *name)
{
	struct leg_cadence *c = leg_cadence_new();
	int st = c ? descriptor_read(leg, c, name) : ST_NOMEM;
	if (!st)
		st = leg_cadence_detect(leg, c);
	if (st == ST_INVAL)
		leg_log(leg, LOG_WARNING,
		    "spandsp.conf: descriptor \"%s\": frequencies are 200 to 3900 Hz, %d in all, lengths up to 60000 "
		    "ms",
		    name, CADENCE_FREQS_MAX);
	mem_unref(c);
	return st;
}

static int app_start_tones(struct leg *leg, const char *data)
{
	role_assert_co();
	bool has_name = data && *data;
	int st = has_name ? tones_start(leg, data) : ST_INVAL;
	leg_exec_response(leg, !has_name ? "-ERR missing descriptor name"
	                       : st      ? "-ERR failed to start tone detector"
	                                 : "+OK started");
	return st == ST_HANGUP ? st : ST_OK;
}

static int app_stop_tones(struct leg *leg, const char *data)
{
	role_assert_co();
	(void)leg_cadence_stop(leg);
	leg_exec_response(leg, "+OK stopped");
	return ST_OK;
}

/* uuid name */
static int api_start_tones(struct api_call *c)
{
	struct sv rest = sv_trim(sv_of(c->args)), uuid;
	role_assert_ctl();
	sv_split(rest, ' ', &uuid, &rest);
	rest = sv_trim(rest);
	char *id = sv_dup(uuid), *name = sv_dup(rest);
	struct leg *leg = id && uuid.n ? leg_find(id) : NULL;
	if (!uuid.n)
		buf_adds(c->out, "-ERR missing uuid\n");
	else if (!rest.n)
		buf_adds(c->out, "-ERR missing descriptor name\n");
	else if (!leg)
		buf_adds(c->out, "-ERR Cannot locate session\n");
	else
		buf_adds(
		    c->out, name && !tones_start(leg, name) ? "+OK started\n" : "-ERR failed to start tone detector\n");
	mem_free(id);
	mem_free(name);
	return ST_OK;
}

static int api_stop_tones(struct api_call *c)
{
	role_assert_ctl();
	struct leg *leg = *c->args ? leg_find(c->args) : NULL;
	if (leg)
		(void)leg_cadence_stop(leg);
	buf_adds(c->out, leg        ? "+OK stopped\n"
	                 : *c->args ? "-ERR Cannot locate session\n"
	                            : "-ERR missing session UUID\n");
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"spandsp_start_dtmf", "Detect dtmf", "", 0, app_start_dtmf},
    {"spandsp_start_fax_detect", "start fax detect", "<app>[ <arg>][ <timeout>][ <tone_type>]", 0,
        app_start_fax_detect},
    {"spandsp_start_tone_detect", "Start background tone detection with cadence", "<name>", 0, app_start_tones},
    {"spandsp_stop_dtmf", "stop inband dtmf", "", 0, app_stop_dtmf},
    {"spandsp_stop_fax_detect", "stop fax detect", "", 0, app_stop_fax_detect},
    {"spandsp_stop_tone_detect", "Stop background tone detection with cadence", "", 0, app_stop_tones},
    {NULL},
};
static const char *const start_words[] = {"spandsp_start_tone_detect ::console::list_uuid", NULL};
static const char *const stop_words[] = {"spandsp_stop_tone_detect ::console::list_uuid", NULL};
static const struct api_desc apis[] = {
    {"spandsp_start_tone_detect", "Start background tone detection with cadence", "<uuid> <name>", 0, api_start_tones,
        start_words},
    {"spandsp_stop_tone_detect", "Stop background tone detection with cadence", "<uuid>", 0, api_stop_tones,
        stop_words},
    {NULL},
};
static const struct var_desc vars[] = {
    {"api_on_fax_detect*", "command", "run when spandsp_start_fax_detect hears a fax", true, false},
    {"execute_on_fax_detect*", "application", "run when spandsp_start_fax_detect hears a fax", true, false},
    {NULL},
};

extern const struct module listening_in_spandsp;
const struct module listening_in_spandsp = {
    .abi = MODULE_ABI, .name = "mod_spandsp", .apps = apps, .apis = apis, .vars = vars};
