/* freeswitch.Session: the object, and its methods that do not wait. It holds a reference of a leg: the one whose
 * coroutine runs the script, or one that the script dialled or found. */
#include "base/log.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "lua/lua_i.h"
#include <string.h>
#include <strings.h>

struct lua_session *session_arg(lua_State *L, int index)
{
	return luaL_checkudata(L, index, SESSION_CLASS);
}

/* The leg of the session at index 1, or NULL with a line in the log. */
static struct leg *leg_arg(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);

	if (!s->leg)
		log_uuid(LOG_ERR, NULL, "the session has no call: it was not made, or destroyed");
	return s->leg;
}

struct lua_session *session_push(lua_State *L, struct leg *leg)
{
	struct lua_session *s = lua_newuserdatauv(L, sizeof(*s), 1);

	*s = (struct lua_session){.script = script_of(L)};
	luaL_setmetatable(L, SESSION_CLASS);
	lua_newtable(L);
	lua_setiuservalue(L, -2, 1);
	/* all objects, for the end of the script */
	luaL_getsubtable(L, LUA_REGISTRYINDEX, SESSION_CLASS "s");
	lua_pushvalue(L, -2);
	lua_pushboolean(L, 1);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	if (leg) {
		s->leg = mem_ref(leg);
		memcpy(s->uuid, leg->uuid, sizeof(s->uuid));
	}
	return s;
}

/* ---- the end of it ---- */

static int l_gc(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);
	struct leg *leg = s->leg;

	role_assert_co();
	while (s->event_count)
		mem_unref(s->events[--s->event_count]);
	s->leg = NULL;
	if (leg && s->hangs_up && leg_is_ready(leg))
		leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	mem_unref(leg);
	return 0;
}

/* Takes what is kept under name; a text is the name of a global where there is one. */
static void push_kept(lua_State *L, int index, const char *name)
{
	lua_getiuservalue(L, index, 1);
	lua_getfield(L, -1, name);
	lua_remove(L, -2);
	if (lua_type(L, -1) != LUA_TSTRING)
		return;
	if (lua_getglobal(L, lua_tostring(L, -1)) == LUA_TNIL)
		lua_pop(L, 1);
	else
		lua_remove(L, -2);
}

static void keep(lua_State *L, int index, int value, const char *name)
{
	lua_getiuservalue(L, index, 1);
	lua_pushvalue(L, value);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

void session_hook(lua_State *L, int index)
{
	struct lua_session *s = session_arg(L, index);
	const char *result;

	if (!s->leg || !s->has_hook || s->in_hook || leg_is_ready(s->leg))
		return;
	s->has_hook = false;
	s->in_hook = true;
	push_kept(L, index, "hook");
	lua_pushvalue(L, index);
	lua_pushstring(L, leg_is_up(s->leg) ? "transfer" : "hangup");
	push_kept(L, index, "hook_arg");
	lua_call(L, 3, 1);
	s->in_hook = false;
	result = lua_tostring(L, -1);
	leg_var_set(s->leg, "lua_hangup_hook_return_val", result);
	if (result && (!strcasecmp(result, "exit") || !strcasecmp(result, "die")))
		script_end_quietly(L);
	lua_pop(L, 1);
}

int session_finish(lua_State *L)
{
	lua_Integer count = 0;

	role_assert_co();
	lua_settop(L, 0);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, SESSION_CLASS "s");
	lua_newtable(L); /* a hook may make more sessions */
	for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, 3)) {
		lua_pushvalue(L, 3);
		lua_rawseti(L, 2, ++count);
	}
	for (lua_Integer i = 1; i <= count; i++, lua_settop(L, 2)) {
		lua_rawgeti(L, 2, i);
		session_hook(L, 3);
	}
	return 0;
}

static int l_destroy(lua_State *L)
{
	const char *error = luaL_optstring(L, 2, NULL);

	role_assert_co();
	session_arg(L, 1);
	session_hook(L, 1);
	l_gc(L);
	return error && *error ? luaL_error(L, "%s", error) : 0;
}

/* ---- asking ---- */

static int push_text(lua_State *L, const char *text)
{
	lua_pushstring(L, text); /* NULL pushes nil */
	return 1;
}

static int push_truth(lua_State *L, bool is_true)
{
	lua_pushboolean(L, is_true);
	return 1;
}

static int l_ready(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);
	bool is_ready;

	role_assert_co();
	is_ready = s->leg && leg_is_ready(s->leg);
	if (!is_ready) {
		script_waited(s->script); /* while not session:ready() ... */
		session_hook(L, 1);
	}
	return push_truth(L, is_ready);
}

static int l_answered(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);

	role_assert_co();
	return push_truth(L, s->leg && leg_is_up(s->leg) && s->leg->is_answered);
}

static int l_bridged(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);

	role_assert_co();
	return push_truth(L, s->leg && leg_is_up(s->leg) && s->leg->peer != NULL);
}

static int l_media_ready(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);

	role_assert_co();
	return push_truth(L, s->leg && leg_is_up(s->leg) && (s->leg->is_answered || s->leg->is_early));
}

static int l_hangup_cause(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);

	role_assert_co();
	return push_text(L, cause_name(s->leg ? s->leg->cause : s->cause));
}

static int l_get_state(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);

	role_assert_co();
	return push_text(L, s->leg ? leg_state_name(s->leg->state) : "ERROR");
}

static int l_get_uuid(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);
	return push_text(L, s->uuid[0] ? s->uuid : NULL);
}

static int l_get_variable(lua_State *L)
{
	struct leg *leg = leg_arg(L);
	const char *name = luaL_checkstring(L, 2);

	role_assert_co();
	return push_text(L, leg ? leg_var(leg, name) : NULL);
}

static int l_set_variable(lua_State *L)
{
	struct leg *leg = leg_arg(L);
	const char *name = luaL_checkstring(L, 2), *value = luaL_optstring(L, 3, NULL);

	role_assert_co();
	if (leg) {
		char *traced = value ? leg_text_traced(leg, value) : NULL;
		leg_var_set_text(leg, name, traced ? traced : value);
		mem_free(traced);
	}
	return 0;
}

static int l_get_private(lua_State *L)
{
	session_arg(L, 1);
	lua_pushfstring(L, "private:%s", luaL_checkstring(L, 2));
	lua_getiuservalue(L, 1, 1);
	lua_insert(L, -2);
	lua_gettable(L, -2);
	return 1;
}

static int l_set_private(lua_State *L)
{
	session_arg(L, 1);
	lua_settop(L, 3);
	lua_pushfstring(L, "private:%s", luaL_checkstring(L, 2));
	keep(L, 1, 3, lua_tostring(L, -1));
	return 0;
}

/* ---- telling ---- */

static int push_status(lua_State *L, int st)
{
	lua_pushinteger(L, st ? 1 : 0); /* SWITCH_STATUS_FALSE, _SUCCESS */
	return 1;
}

static int l_answer(lua_State *L)
{
	struct leg *leg = leg_arg(L);

	role_assert_co();
	return push_status(L, leg ? leg_answer(leg) : ST_INVAL);
}

static int l_pre_answer(lua_State *L)
{
	struct leg *leg = leg_arg(L);

	role_assert_co();
	return push_status(L, leg ? leg_pre_answer(leg) : ST_INVAL);
}

static int l_hangup(lua_State *L)
{
	struct leg *leg = leg_arg(L);
	const char *cause = luaL_optstring(L, 2, "NORMAL_CLEARING");

	role_assert_co();
	if (leg) {
		leg_hangup(leg, cause_parse(cause));
		session_hook(L, 1);
	}
	return 0;
}

static int l_transfer(lua_State *L)
{
	struct leg *leg = leg_arg(L);
	const char *exten = luaL_checkstring(L, 2), *dialplan = luaL_optstring(L, 3, NULL);
	const char *context = luaL_optstring(L, 4, NULL);
	int st;

	role_assert_co();
	char *traced = leg && exten ? leg_text_traced(leg, exten) : NULL;
	st = leg ? leg_transfer(leg, traced ? traced : exten, dialplan, context) : ST_INVAL;
	mem_free(traced);
	session_hook(L, 1);
	return push_status(L, st);
}

static int l_set_auto_hangup(lua_State *L)
{
	session_arg(L, 1)->hangs_up = lua_toboolean(L, 2);
	return push_status(L, ST_OK);
}

static int l_flush_digits(lua_State *L)
{
	struct leg *leg = leg_arg(L);

	role_assert_co();
	if (leg)
		leg_dtmf_flush(leg);
	return push_status(L, leg ? ST_OK : ST_INVAL);
}

static int l_flush_events(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);

	role_assert_co();
	while (s->event_count)
		mem_unref(s->events[--s->event_count]);
	return push_status(L, ST_OK);
}

static int l_console_log(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);
	const char *level_text = luaL_checkstring(L, 2), *text = luaL_checkstring(L, 3);
	enum log_level level = LOG_DEBUG;

	role_assert_co();
	log_level_parse(level_text, &level);
	log_uuid(level, s->uuid[0] ? s->uuid : NULL, "%s", text);
	return 0;
}

/* The next look at its callback gets it. */
static int l_send_event(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);
	struct event **e = luaL_checkudata(L, 2, "freeswitch.Event");

	role_assert_co();
	if (s->event_count == SESSION_EVENTS_MAX || !s->leg)
		return push_status(L, ST_FULL);
	s->events[s->event_count++] = mem_ref(*e);
	leg_wake(s->leg);
	return push_status(L, ST_OK);
}

/* name or function, argument: kept under name and name_arg. */
static bool keep_callback(lua_State *L, const char *name, const char *arg_name)
{
	bool is_given = lua_isfunction(L, 2) || (lua_isstring(L, 2) && *lua_tostring(L, 2));

	session_arg(L, 1);
	lua_settop(L, 3);
	if (lua_isstring(L, 3) && !*lua_tostring(L, 3)) {
		lua_pushnil(L);
		lua_replace(L, 3);
	}
	keep(L, 1, 2, name);
	keep(L, 1, 3, arg_name);
	return is_given;
}

static int l_set_input_callback(lua_State *L)
{
	session_arg(L, 1)->has_callback = keep_callback(L, "callback", "callback_arg");
	return 0;
}

static int l_unset_input_callback(lua_State *L)
{
	session_arg(L, 1)->has_callback = false;
	return 0;
}

static int l_set_hangup_hook(lua_State *L)
{
	session_arg(L, 1)->has_hook = keep_callback(L, "hook", "hook_arg");
	return 0;
}

/* (level, file, function, line, text): where it comes from is the script's to say. */
static int l_console_log2(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);
	enum log_level level = LOG_DEBUG;

	role_assert_co();
	log_level_parse(luaL_checkstring(L, 2), &level);
	log_uuid(level, s->uuid[0] ? s->uuid : NULL, "%s:%d %s %s", luaL_checkstring(L, 3),
	    (int)luaL_checkinteger(L, 5), luaL_checkstring(L, 4), luaL_checkstring(L, 6));
	return 0;
}

/* The call's record as it is now. */
static int l_get_xml_cdr(lua_State *L)
{
	struct leg *leg = leg_arg(L);
	struct buf text;

	role_assert_co();
	buf_init(&text);
	if (leg)
		leg_record_write(leg, &text);
	script_push_take(L, &text);
	return 1;
}

/* (event): the call's headers and variables into it. */
static int l_set_event_data(lua_State *L)
{
	struct leg *leg = leg_arg(L);
	struct event **e = luaL_checkudata(L, 2, "freeswitch.Event");

	role_assert_co();
	if (leg)
		leg_event_all(leg, *e);
	return 0;
}

/* FreeSWITCH's wrappers of other languages have them; here nothing is to be done. */
static int l_nothing(lua_State *L)
{
	session_arg(L, 1);
	return 0;
}

static int l_check_hangup_hook(lua_State *L)
{
	role_assert_co();
	session_hook(L, 1);
	return 0;
}

static int l_set_tts(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);
	const char *engine = luaL_checkstring(L, 2), *voice = luaL_optstring(L, 3, "");

	if (strlen(engine) >= sizeof(s->engine) || strlen(voice) >= sizeof(s->voice))
		return luaL_error(L, "set_tts_params: the names are too long");
	strcpy(s->engine, engine);
	strcpy(s->voice, voice);
	return 0;
}

static int l_refused(lua_State *L)
{
	return luaL_error(L, "session:%s is not available here", lua_tostring(L, lua_upvalueindex(1)));
}

/* Methods, and the fields uuid and name. */
static int l_index(lua_State *L)
{
	struct lua_session *s = session_arg(L, 1);
	const char *key = lua_tostring(L, 2);

	role_assert_co();
	lua_pushvalue(L, 2);
	if (lua_gettable(L, lua_upvalueindex(1)) != LUA_TNIL || !key)
		return 1;
	if (!strcmp(key, "uuid"))
		return l_get_uuid(L);
	if (!strcmp(key, "name"))
		return push_text(L, s->leg ? s->leg->name : NULL);
	return push_text(L, NULL);
}

void session_open(lua_State *L)
{
	static const luaL_Reg methods[] = {{"answer", l_answer}, {"preAnswer", l_pre_answer}, {"hangup", l_hangup},
	    {"hangupState", l_hangup}, {"hangupCause", l_hangup_cause}, {"getState", l_get_state}, {"ready", l_ready},
	    {"mediaReady", l_media_ready}, {"answered", l_answered}, {"bridged", l_bridged}, {"get_uuid", l_get_uuid},
	    {"getVariable", l_get_variable}, {"setVariable", l_set_variable}, {"getPrivate", l_get_private},
	    {"setPrivate", l_set_private}, {"transfer", l_transfer}, {"setAutoHangup", l_set_auto_hangup},
	    {"flushDigits", l_flush_digits}, {"flushEvents", l_flush_events}, {"consoleLog", l_console_log},
	    {"sendEvent", l_send_event}, {"setInputCallback", l_set_input_callback},
	    {"unsetInputCallback", l_unset_input_callback}, {"setHangupHook", l_set_hangup_hook},
	    {"set_tts_params", l_set_tts}, {"set_tts_parms", l_set_tts}, {"destroy", l_destroy},
	    {"setDTMFCallback", l_set_input_callback}, {"consoleLog2", l_console_log2}, {"getXMLCDR", l_get_xml_cdr},
	    {"setEventData", l_set_event_data}, {"begin_allow_threads", l_nothing}, {"end_allow_threads", l_nothing},
	    {"setLUA", l_nothing}, {"check_hangup_hook", l_check_hangup_hook}, {NULL, NULL}};
	static const char *const refused[] = {"insertFile", "playAndDetectSpeech", "process_callback_result", NULL};

	object_class(L, SESSION_CLASS, methods, l_gc);
	luaL_getmetatable(L, SESSION_CLASS);
	lua_getfield(L, -1, "__index");
	luaL_setfuncs(L, session_waiting_methods, 0);
	for (const char *const *name = refused; *name; name++) {
		lua_pushstring(L, *name);
		lua_pushcclosure(L, l_refused, 1);
		lua_setfield(L, -2, *name);
	}
	lua_pushcclosure(L, l_index, 1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	/* the objects of the script, weakly: an unused one is collected, and hangs up */
	luaL_getsubtable(L, LUA_REGISTRYINDEX, SESSION_CLASS "s");
	lua_newtable(L);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
	lua_pushcfunction(L, session_new);
	lua_setfield(L, -2, "Session");
}
