/* freeswitch.Session: the methods that wait. On a leg that is not the coroutine's own they take it for the time of the
 * call (leg_exec_adopt). While something plays, a callback of the script sees each key; its errors are kept until
 * core's functions have returned. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/dial/originate.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/registry/app.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/play.h"
#include "core/sound/record.h"
#include "core/sound/say.h"
#include "core/value/cause.h"
#include "lua/lua_i.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int64_t number_arg(lua_State *L, int index, int64_t otherwise)
{
	return script_whole(luaL_optnumber(L, index, (lua_Number)otherwise));
}

static uint32_t count_arg(lua_State *L, int index, uint32_t otherwise)
{
	int64_t n = number_arg(L, index, otherwise);
	return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* ---- a leg for the time of a call ---- */

struct use {
	struct lua_session *session;
	struct leg *leg; /* held by the session object, which is on the stack */
	bool is_adopted;
};

static CO bool use_begin(lua_State *L, int index, struct use *u)
{
	struct lua_session *s = session_arg(L, index);
	int st = s->leg ? leg_exec_adopt(s->leg) : ST_NOTFOUND;

	*u = (struct use){.session = s, .leg = s->leg, .is_adopted = !st};
	if (st == ST_BUSY)
		leg_log(s->leg, LOG_ERR, "the script cannot use %s: something else runs on it", s->leg->name);
	if (st && st != ST_EXISTS)
		u->leg = NULL;
	return u->leg && leg_is_up(u->leg);
}

/* The last thing a method does but for pushing results: may raise the script's end. */
static CO void use_end(lua_State *L, int index, struct use *u)
{
	if (u->is_adopted)
		leg_exec_release(u->leg);
	script_waited(u->session->script);
	session_hook(L, index);
}

static int push_status(lua_State *L, int st)
{
	lua_pushinteger(L, st ? 1 : 0);
	return 1;
}

/* ---- the input callback ---- */

struct input {
	lua_State *L;
	struct lua_session *session;
	struct leg *leg;
	char digit; /* the one to tell, or 0: an event */
	unsigned duration;
	struct event *event;
	bool is_error; /* its message is on top of the stack */
};

/* (session object, struct input): calls the script's function; its result. */
static int input_call(lua_State *L)
{
	struct input *in = lua_touserdata(L, 2);
	char text[2] = {in->digit, 0};

	role_assert_co();
	lua_getiuservalue(L, 1, 1);
	lua_getfield(L, 3, "callback");
	if (lua_type(L, -1) == LUA_TSTRING)
		lua_getglobal(L, lua_tostring(L, -1));
	lua_pushvalue(L, 1);
	if (in->event) {
		lua_pushliteral(L, "event");
		event_push_copy(L, in->event);
	} else {
		lua_pushliteral(L, "dtmf");
		lua_createtable(L, 0, 2);
		lua_pushstring(L, text);
		lua_setfield(L, -2, "digit");
		lua_pushinteger(L, in->duration);
		lua_setfield(L, -2, "duration");
	}
	lua_getfield(L, 3, "callback_arg");
	if (lua_type(L, -1) == LUA_TSTRING && lua_getglobal(L, lua_tostring(L, -1)) != LUA_TNIL)
		lua_remove(L, -2);
	else if (lua_isnil(L, -1) && lua_type(L, -2) == LUA_TSTRING)
		lua_pop(L, 1);
	lua_call(L, 4, 1);
	return 1;
}

/* pause (and pause again), restart, seek:[+|-]MS of the file that plays. */
static CO bool control(struct leg *leg, const char *how)
{
	struct mstream *stream = leg_media_stream(leg);
	bool is_seek = !strncasecmp(how, "seek:", 5);
	bool is_relative = is_seek && (how[5] == '+' || how[5] == '-');

	if (!stream)
		return false;
	if (!strcasecmp(how, "pause"))
		mstream_play_set(stream, MEDIA_PLAY_PAUSE, -1);
	else if (!strcasecmp(how, "restart"))
		mstream_play_set(stream, MEDIA_PLAY_RESTART, 0);
	else if (is_seek)
		mstream_play_set(stream, is_relative ? MEDIA_PLAY_SEEK_BY : MEDIA_PLAY_SEEK_TO, atoi(how + 5));
	else if (!strncasecmp(how, "speed", 5) || !strncasecmp(how, "volume", 6))
		leg_log(leg, LOG_WARNING, "an input callback asks for '%s', which is not available here", how);
	else
		return false;
	return true;
}

/* What the callback's result means: false ends what plays. */
static CO bool goes_on_with(const struct input *in, const char *result)
{
	if (!result || !*result || !strcmp(result, "true") || !strcmp(result, "undefined"))
		return true;
	return control(in->leg, result);
}

static CO bool tell_callback(struct input *in)
{
	lua_State *L = in->L;
	bool goes_on;

	if (!lua_checkstack(L, 10))
		return false;
	lua_pushcfunction(L, script_traceback);
	lua_pushcfunction(L, input_call);
	lua_pushvalue(L, 1);
	lua_pushlightuserdata(L, in);
	if (lua_pcall(L, 2, 1, -4)) {
		lua_remove(L, -2);
		in->is_error = true;
		return false;
	}
	goes_on = goes_on_with(in, lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL);
	lua_pop(L, 2);
	return goes_on;
}

static bool input_goes_on(struct leg *leg, void *arg)
{
	struct input *in = arg;
	struct lua_session *s = in->session;
	bool goes_on = true;

	role_assert_co();
	while (goes_on && s->has_callback) {
		in->event = NULL;
		if (s->event_count) {
			in->event = s->events[0];
			memmove(s->events, s->events + 1, --s->event_count * sizeof(s->events[0]));
		} else if (!leg_dtmf_take(leg, &in->digit, &in->duration)) {
			break;
		}
		script_waited(s->script);
		goes_on = tell_callback(in);
		mem_unref(in->event);
	}
	return goes_on;
}

/* A method that waits with the callback told of keys. */
struct watched {
	struct use use;
	struct input in;
	struct leg_watch watch;
	struct leg_play_end end;
};

static CO bool watched_begin(lua_State *L, struct watched *w)
{
	bool is_usable = use_begin(L, 1, &w->use);

	w->in = (struct input){.L = L, .session = w->use.session, .leg = w->use.leg};
	w->watch = (struct leg_watch){input_goes_on, &w->in, .is_prompt = true};
	w->end = (struct leg_play_end){.watch = &w->watch};
	return is_usable;
}

/* Gives the leg back, raises what the callback raised, pushes the status. */
static CO int watched_end(lua_State *L, struct watched *w, int st)
{
	use_end(L, 1, &w->use);
	if (w->in.is_error)
		return lua_error(L);
	return push_status(L, st);
}

/* What a script composed of the leg's values and gives to something that reads text as a language (sources of sound,
 * phrases, data of applications): what is from outside in it is marked (leg_text_traced tells what of it is found). */
struct composed {
	char *own;        /* mem_free it */
	const char *text; /* NULL as it was given */
};

static ON_CTL struct composed composed_of(struct leg *leg /* NULL: nobody's words are in it */, const char *text)
{
	char *traced = leg && text ? leg_text_traced(leg, text) : NULL;
	return (struct composed){traced, traced ? traced : text};
}

/* ---- sound ---- */

static int l_stream_file(lua_State *L)
{
	const char *file = luaL_checkstring(L, 2);
	struct watched w;
	int st = ST_HANGUP;

	role_assert_co();
	if (watched_begin(L, &w)) {
		struct composed source = composed_of(w.use.leg, file);
		st = leg_play_watched(w.use.leg, source.text, &w.watch);
		mem_free(source.own);
	}
	return watched_end(L, &w, st);
}

static int l_record_file(lua_State *L)
{
	const char *file = luaL_checkstring(L, 2);
	uint32_t limit_s = count_arg(L, 3, 0), level = count_arg(L, 4, 0), hits = count_arg(L, 5, 0);
	struct media_record_conf conf = {.has_read = true};
	struct watched w;
	int st = ST_HANGUP;

	role_assert_co();
	conf.limit_ms = limit_s > 4000000 ? 0 : clock_ms_of_s(limit_s);
	conf.silence_level = level > 32767 ? 32767 : level;
	conf.silence_ms = level ? (hits ? (hits > 500000 ? 500000 : hits) : 1) * 20 : 0;
	if (watched_begin(L, &w)) {
		conf.is_append = leg_var_is_true(w.use.leg, "record_append");
		struct composed path = composed_of(w.use.leg, file);
		st = leg_record_watched(w.use.leg, path.text, &conf, &w.watch);
		if (st == ST_NOTFOUND || st == ST_DENIED) /* there is no file: as the application record */
			leg_hangup(w.use.leg, CAUSE_DESTINATION_OUT_OF_ORDER);
		mem_free(path.own);
	}
	return watched_end(L, &w, st);
}

/* Waits until then (INT64_MAX: for ever) with the callback told; digits stay queued without one. */
static CO int wait_until(struct watched *w, int64_t end)
{
	struct leg *leg = w->use.leg;
	int st = ST_OK;

	while (!st && input_goes_on(leg, &w->in)) {
		int64_t left = end == INT64_MAX ? -1 : end - clock_mono_us();
		if (end != INT64_MAX && left <= 0)
			break;
		st = leg_wait(leg, left);
		if (st == ST_TIMEOUT)
			st = ST_OK;
	}
	return st;
}

static int l_sleep(lua_State *L)
{
	int64_t ms = number_arg(L, 2, 0);
	struct watched w;
	int st = ST_HANGUP;

	role_assert_co();
	if (watched_begin(L, &w))
		st = wait_until(&w, clock_mono_us() + clock_us_of_ms(ms));
	return watched_end(L, &w, st);
}

/* (timeout in ms) or (digit timeout, timeout); 0: until the callback ends it */
static int l_collect_digits(lua_State *L)
{
	int64_t ms = number_arg(L, lua_isnoneornil(L, 3) ? 2 : 3, 0);
	struct watched w;
	int st = ST_HANGUP;

	role_assert_co();
	if (watched_begin(L, &w))
		st = wait_until(&w, ms > 0 ? clock_mono_us() + clock_us_of_ms(ms) : INT64_MAX);
	return watched_end(L, &w, st);
}

/* (text, language module, type, method[, gender]) */
static int l_say(lua_State *L)
{
	struct say_request r = {.text = luaL_checkstring(L, 2),
	    .module = luaL_checkstring(L, 3),
	    .type = luaL_checkstring(L, 4),
	    .method = luaL_checkstring(L, 5),
	    .gender = luaL_optstring(L, 6, NULL)};
	struct watched w;
	int st = ST_HANGUP;

	role_assert_co();
	if (watched_begin(L, &w))
		st = leg_say(w.use.leg, &r, &w.end);
	return watched_end(L, &w, st);
}

/* (name[, data[, language]]) */
static int l_say_phrase(lua_State *L)
{
	const char *macro = luaL_checkstring(L, 2), *data = luaL_optstring(L, 3, "");
	const char *language = luaL_optstring(L, 4, NULL);
	struct watched w;
	int st = ST_HANGUP;

	role_assert_co();
	if (watched_begin(L, &w)) {
		struct composed own = composed_of(w.use.leg, data);
		st = leg_phrase(w.use.leg, macro, own.text, language && *language ? language : NULL, &w.end);
		mem_free(own.own);
	}
	return watched_end(L, &w, st);
}

/* (text), with the engine and voice of set_tts_params */
static int l_speak(lua_State *L)
{
	const char *text = luaL_checkstring(L, 2);
	struct watched w;
	int st = ST_HANGUP;

	role_assert_co();
	if (watched_begin(L, &w)) {
		const struct lua_session *s = w.use.session;
		st = leg_speak(w.use.leg, s->engine[0] ? s->engine : NULL, s->voice[0] ? s->voice : NULL, text, &w.end);
	}
	return watched_end(L, &w, st);
}

/* ---- digits ---- */

static int push_digits(lua_State *L, const struct leg_digits *d)
{
	lua_pushlstring(L, d->digits, d->count);
	return 1;
}

/* (max, terminators, timeout[, between[, all]]) */
static int l_get_digits(lua_State *L)
{
	struct leg_digits d = {.terminators = luaL_optstring(L, 3, "")};
	uint32_t max = count_arg(L, 2, 0), timeout_ms = count_arg(L, 4, 0), between_ms = count_arg(L, 5, 0);
	uint32_t total_ms = count_arg(L, 6, 0);
	struct use u;

	role_assert_co();
	d.max = max && max <= LEG_DIGITS_MAX ? max : LEG_DIGITS_MAX;
	d.timeout_us = timeout_ms ? clock_us_of_ms(timeout_ms) : INT64_MAX / 4;
	d.digit_timeout_us = between_ms ? clock_us_of_ms(between_ms) : d.timeout_us;
	d.total_us = clock_us_of_ms(total_ms);
	if (use_begin(L, 1, &u))
		leg_digits_collect(u.leg, &d);
	use_end(L, 1, &u);
	return push_digits(L, &d);
}

/* (min, max, file, timeout, terminators[, digit timeout]) */
static int l_read(lua_State *L)
{
	struct leg_digits d = {.prompt = luaL_optstring(L, 4, NULL), .terminators = luaL_optstring(L, 6, "#")};
	struct use u;

	role_assert_co();
	leg_digits_limit(&d, count_arg(L, 2, 0), count_arg(L, 3, 0), count_arg(L, 5, 0), count_arg(L, 7, 0));
	if (use_begin(L, 1, &u)) {
		struct composed prompt = composed_of(u.leg, d.prompt);
		d.prompt = prompt.text;
		leg_digits_read(u.leg, &d);
		mem_free(prompt.own);
	}
	use_end(L, 1, &u);
	return push_digits(L, &d);
}

/* 'exten [dialplan [context]]' */
static CO void transfer_on_failure(struct leg *leg, const char *spec)
{
	char *text = mem_strdup(spec), *save = NULL, *word[3];

	word[0] = text ? strtok_r(text, " ", &save) : NULL;
	word[1] = word[0] ? strtok_r(NULL, " ", &save) : NULL;
	word[2] = word[1] ? strtok_r(NULL, " ", &save) : NULL;
	if (word[0])
		leg_transfer(leg, word[0], word[1], word[2]);
	mem_free(text);
}

/* (min, max, tries, timeout, terminators, file, bad file, regex[, var[, digit timeout[, transfer on failure]]]) */
static int l_play_and_get_digits(lua_State *L)
{
	struct leg_digits_ask a = {.tries = count_arg(L, 4, 1), .bad_prompt = luaL_optstring(L, 8, NULL)};
	const char *var = luaL_optstring(L, 10, NULL), *failure = luaL_optstring(L, 12, NULL);
	struct use u;
	int st = ST_HANGUP;

	role_assert_co();
	leg_digits_limit(&a.digits, count_arg(L, 2, 0), count_arg(L, 3, 0), count_arg(L, 5, 0), count_arg(L, 11, 0));
	a.digits.terminators = luaL_optstring(L, 6, "#");
	a.digits.prompt = luaL_optstring(L, 7, NULL);
	a.regexp = luaL_optstring(L, 9, NULL);
	a.var = var && *var ? var : NULL;
	if (use_begin(L, 1, &u)) {
		struct composed prompt = composed_of(u.leg, a.digits.prompt), bad = composed_of(u.leg, a.bad_prompt),
		                pattern = composed_of(u.leg, a.regexp);
		a.digits.prompt = prompt.text, a.bad_prompt = bad.text, a.regexp = pattern.text;
		st = leg_digits_ask(u.leg, &a);
		mem_free(prompt.own), mem_free(bad.own), mem_free(pattern.own);
		if (st == ST_NOTFOUND && failure && *failure) {
			struct composed place = composed_of(u.leg, failure);
			transfer_on_failure(u.leg, place.text);
			mem_free(place.own);
		}
	}
	if (st)
		a.digits.count = 0;
	use_end(L, 1, &u);
	return push_digits(L, &a.digits);
}

/* ---- applications ---- */

static CO void exec_traced(struct leg *leg, const char *app, const char *data)
{
	struct composed own = composed_of(leg, data);
	leg_exec_app(leg, app, own.text);
	mem_free(own.own);
}

/* Runs app with the text on top of the stack. */
static CO void execute_top(lua_State *L, const char *app)
{
	struct use u;

	if (use_begin(L, 1, &u))
		exec_traced(u.leg, app, lua_tostring(L, -1));
	else if (u.leg && app_find(app) && (app_find(app)->flags & APP_ZOMBIE_EXEC))
		exec_traced(u.leg, app, lua_tostring(L, -1));
	use_end(L, 1, &u);
}

static int l_execute(lua_State *L)
{
	const char *app = luaL_checkstring(L, 2);

	role_assert_co();
	lua_pushstring(L, luaL_optstring(L, 3, ""));
	execute_top(L, app);
	return 0;
}

static int l_wait_for_answer(lua_State *L)
{
	struct use u;

	role_assert_co();
	if (use_begin(L, 1, &u))
		while (!u.leg->is_answered && leg_wait(u.leg, -1) == ST_OK)
			;
	use_end(L, 1, &u);
	return 0;
}

/* ---- making calls ---- */

static struct lua_session *session_or_null(lua_State *L, int index)
{
	return lua_isnoneornil(L, index) ? NULL : session_arg(L, index);
}

/* Dials; s gets the leg, or the cause why there is none. */
static CO int dial(
    lua_State *L, struct lua_session *s, const char *destination, struct lua_session *a, unsigned timeout_s)
{
	struct originate_conf conf = {
	    .originator = a && a->leg && leg_is_up(a->leg) ? a->leg : NULL, .timeout_s = timeout_s};
	struct leg *leg = NULL;
	int st;

	if (a && !conf.originator) {
		s->cause = CAUSE_ORIGINATOR_CANCEL;
		return ST_HANGUP;
	}
	struct composed own = composed_of(conf.originator ? conf.originator : s->script->session, destination);
	conf.dialstring = own.text;
	st = originate_run(&conf, &leg, &s->cause);
	mem_free(own.own);
	script_waited(s->script);
	if (st)
		return st;
	s->leg = leg;
	s->hangs_up = true; /* nobody else looks after it */
	memcpy(s->uuid, leg->uuid, sizeof(s->uuid));
	return ST_OK;
}

/* ([uuid or dial string[, session it is dialled for]]) */
int session_new(lua_State *L)
{
	const char *what = luaL_optstring(L, 1, "");
	struct lua_session *a = session_or_null(L, 2), *s;
	struct leg *found;

	role_assert_co();
	found = leg_find(what);
	s = session_push(L, found);
	if (!found && *what)
		dial(L, s, what, a, 0);
	return 1;
}

/* ([session it is dialled for], dial string[, timeout in s]) */
static int l_originate(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1), *a = session_or_null(L, 2);
	const char *destination = luaL_checkstring(L, 3);
	unsigned timeout_s = count_arg(L, 4, 60);

	role_assert_co();
	if (s->leg)
		return luaL_error(L, "session:originate: this session has a call already");
	return push_status(L, dial(L, s, destination, a, timeout_s));
}

int session_bridge(lua_State *L)
{
	struct use a, b;
	bool has_a, has_b;

	role_assert_co();
	session_arg(L, 2);
	has_a = use_begin(L, 1, &a);
	has_b = use_begin(L, 2, &b);
	if (has_a && has_b) {
		int st = bridge_wait(a.leg, b.leg);
		if (st)
			leg_log(a.leg, LOG_ERR, "freeswitch.bridge: %s", status_text(st));
	}
	if (b.is_adopted)
		leg_exec_release(b.leg);
	use_end(L, 1, &a);
	session_hook(L, 2);
	return 0;
}

const luaL_Reg session_waiting_methods[] = {{"streamFile", l_stream_file}, {"recordFile", l_record_file},
    {"sleep", l_sleep}, {"collectDigits", l_collect_digits}, {"getDigits", l_get_digits}, {"read", l_read},
    {"playAndGetDigits", l_play_and_get_digits}, {"execute", l_execute}, {"say", l_say}, {"sayPhrase", l_say_phrase},
    {"speak", l_speak}, {"waitForAnswer", l_wait_for_answer}, {"originate", l_originate}, {NULL, NULL}};
