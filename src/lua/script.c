/* One run of a script: a Lua state with bounded memory, on a deep stack of the coroutine that asked for it. Its
 * instructions are counted: it gives way to others after two milliseconds, and one that neither waits nor ends is
 * stopped with the line it is at. The libraries are in libs.c, the objects in session.c, event.c and globals.c. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/source.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "lua/lua_i.h"
#include "text/mark.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { COUNT_INSTRUCTIONS = 1000, SLICE_US = 2000, BACKGROUND_MAX = 10000, ARGS_MAX = 128 };

static struct list running = {{&running.head, &running.head}};
static size_t running_count, background_count; /* the latter also of those not begun yet */
static const char quiet_end;                   /* its address is the error value */

struct script *script_of(lua_State *L)
{
	return *(struct script **)lua_getextraspace(L);
}

const char *script_uuid(const struct script *s)
{
	return s->leg ? s->leg->uuid : NULL;
}

size_t script_count(void)
{
	return running_count;
}

/* ---- bounds ---- */

/* The first function of Lua's on the stack; allocates nothing. */
static void note_place(struct script *s)
{
	lua_Debug ar;

	for (int level = 0; s->L && lua_getstack(s->L, level, &ar); level++) {
		if (!lua_getinfo(s->L, "Sl", &ar) || ar.currentline < 0)
			continue;
		snprintf(s->place, sizeof(s->place), "%s:%d: ", ar.short_src, ar.currentline);
		return;
	}
}

static void *allocate(void *ud, void *p, size_t old, size_t n)
{
	struct script *s = ud;
	void *q;

	if (!p)
		old = 0; /* it tells a type */
	if (!n) {
		s->mem_bytes -= old;
		mem_free(p);
		return NULL;
	}
	if (n > old && s->mem_bytes + (n - old) > lua_conf.memory_limit_bytes) {
		note_place(s);
		return NULL;
	}
	q = mem_realloc(p, n);
	if (q)
		s->mem_bytes += n - old;
	return q;
}

/* Counts instructions; true: the script must end. */
static CO bool charge(struct script *s, unsigned instructions)
{
	s->instructions += instructions;
	if (!s->ending && s->instructions > lua_conf.instruction_limit)
		s->ending = "stopped: it neither waits nor ends (instruction-limit of lua.conf)";
	if (!s->ending && clock_mono_us() - s->slice_from_us > SLICE_US) {
		if (co_sleep(0) == ST_CANCELLED)
			s->ending = "stopped: the program ends";
		s->turn_us = loop_now_us();
		s->slice_from_us = clock_mono_us();
	}
	return s->ending != NULL;
}

/* Once it must end, every further instruction says so: pcall does not save it. */
static void on_count(lua_State *L, lua_Debug *ar)
{
	struct script *s = script_of(L);

	role_assert_co();
	if (!charge(s, COUNT_INSTRUCTIONS))
		return;
	lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
	lua_getinfo(L, "Sl", ar);
	luaL_error(L, "%s:%d: %s", ar->short_src, ar->currentline, s->ending);
}

void script_charge(lua_State *L, unsigned instructions)
{
	struct script *s = script_of(L);

	role_assert_co();
	if (!charge(s, instructions))
		return;
	lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
	luaL_error(L, "%s", s->ending);
}

void script_waited(struct script *s)
{
	if (loop_now_us() == s->turn_us) { /* it did not wait: asking for it again and again is spinning too */
		s->instructions += 10 * COUNT_INSTRUCTIONS;
		return;
	}
	s->turn_us = loop_now_us();
	s->slice_from_us = clock_mono_us();
	s->instructions = 0;
}

int script_wait(struct script *s, int64_t timeout_us)
{
	int st;

	if (s->leg)
		st = leg_wait(s->leg, timeout_us);
	else
		st = co_wait_or_stop(&s->wait, timeout_us);
	if (st == ST_CANCELLED && !s->leg)
		s->ending = "stopped: the program ends";
	script_waited(s);
	return st;
}

void script_wake(struct script *s)
{
	if (s->leg)
		leg_wake(s->leg);
	else
		co_signal(&s->wait, ST_OK);
}

/* ---- errors and texts ---- */

int script_traceback(lua_State *L)
{
	const char *text = lua_tostring(L, 1);

	if (lua_touserdata(L, 1) == &quiet_end)
		return 1;
	if (!text)
		text = luaL_tolstring(L, 1, NULL);
	luaL_traceback(L, L, text, 1);
	return 1;
}

int script_end_quietly(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&quiet_end);
	return lua_error(L);
}

static int push_text(lua_State *L)
{
	const struct sv *v = lua_touserdata(L, 1);
	lua_pushlstring(L, v->p ? v->p : "", v->n);
	return 1;
}

void script_push_take(lua_State *L, struct buf *b)
{
	struct sv v = buf_sv(b);
	int rc;

	lua_pushcfunction(L, push_text);
	lua_pushlightuserdata(L, &v);
	rc = lua_pcall(L, 1, 1, 0);
	buf_fini(b);
	if (rc)
		lua_error(L);
}

/* ---- one run ---- */

static void push_word(lua_State *L, struct sv word)
{
	struct buf plain;

	buf_init(&plain);
	mark_strip(&plain, word);
	script_push_take(L, &plain);
}

/* Cuts text at the blanks that are not marked; 'quoted' words keep theirs. Pushes argv: [0] the script, [1] ... */
static void push_argv(lua_State *L, struct sv script, const char *text)
{
	lua_newtable(L);
	lua_pushlstring(L, script.p, script.n);
	lua_rawseti(L, -2, 0);
	for (int n = 1; n <= ARGS_MAX; n++) {
		text += strspn(text, " ");
		if (!*text)
			return;
		const char *end = *text == '\'' ? strchr(text + 1, '\'') : NULL;
		if (end) {
			push_word(L, (struct sv){text + 1, (size_t)(end - text - 1)});
			text = end + 1;
		} else {
			size_t len = strcspn(text, " ");
			push_word(L, (struct sv){text, len});
			text += len;
		}
		lua_rawseti(L, -2, n);
	}
}

/* Pushes the chunk that code names or is. */
static CO void push_chunk(lua_State *L, const char *code)
{
	struct buf path;
	struct sv name;
	int st;

	code += strspn(code, " \r\n");
	name = (struct sv){code, strcspn(code, " ")};
	if (mark_has(*code == '~' || !strncasecmp(code, "#!/lua", 6) ? sv_of(code) : name))
		luaL_error(L, "what comes from outside is no script and names none; give it as an argument");
	if (*code == '~' || !strncasecmp(code, "#!/lua", 6)) {
		code += *code == '~' ? 1 : 6;
		if (luaL_loadbufferx(L, code, strlen(code), "line", "t"))
			lua_error(L);
		return;
	}
	push_argv(L, name, code + name.n);
	lua_setglobal(L, "argv");
	lua_pushlstring(L, name.p, name.n);
	buf_init(&path);
	st = chunk_path(lua_tostring(L, -1), &path);
	script_push_take(L, &path); /* from here on Lua holds it */
	if (st)
		luaL_error(L, "%s: a script lies in the script directory or has an absolute path", lua_tostring(L, -2));
	if (chunk_load(L, lua_tostring(L, -1)))
		lua_error(L);
}

/* The table ACTIONS to the leg's list. */
static CO void take_actions(lua_State *L, struct leg *leg)
{
	lua_getglobal(L, "ACTIONS");
	if (!lua_istable(L, -1))
		luaL_error(L, "the global variable ACTIONS may only be a table");
	for (lua_Integer i = 1; lua_geti(L, -1, i) != LUA_TNIL; i++, lua_settop(L, 1)) {
		if (lua_istable(L, 2)) {
			lua_geti(L, 2, 1);
			lua_geti(L, 2, 2);
		} else {
			lua_pushvalue(L, 2);
			lua_pushnil(L);
		}
		if (!lua_isstring(L, 3) || !(lua_isnil(L, 4) || lua_isstring(L, 4)))
			luaL_error(L, "ACTIONS[%d] is neither \"app\" nor {\"app\", \"data\"}", (int)i);
		char *traced = lua_isnil(L, 4) ? NULL : leg_text_traced(leg, lua_tostring(L, 4));
		int st = leg_exec_add(leg, lua_tostring(L, 3), traced ? traced : lua_tostring(L, 4), "_anon_");
		mem_free(traced);
		if (st)
			luaL_error(L, "ACTIONS is too long");
	}
}

/* The globals XML_REQUEST and params. */
static CO void push_question(lua_State *L, const struct source_question *q)
{
	lua_createtable(L, 0, 4);
	lua_pushstring(L, q->section);
	lua_setfield(L, -2, "section");
	lua_pushstring(L, q->tag ? q->tag : "");
	lua_setfield(L, -2, "tag_name");
	lua_pushstring(L, q->key_name ? q->key_name : "");
	lua_setfield(L, -2, "key_name");
	lua_pushstring(L, q->key_value ? q->key_value : "");
	lua_setfield(L, -2, "key_value");
	lua_setglobal(L, "XML_REQUEST");
	event_push_copy(L, q->params);
	lua_setglobal(L, "params");
}

/* The global XML_STRING; nil and "" are no answer. */
static CO void take_answer(lua_State *L, struct script *s)
{
	struct sv text;

	lua_getglobal(L, "XML_STRING");
	if (lua_isnil(L, -1))
		return;
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "the global variable XML_STRING may only be a text");
	text.p = lua_tolstring(L, -1, &text.n);
	if (buf_addv(s->answer, text))
		luaL_error(L, "XML_STRING is too long");
}

static int script_body(lua_State *L)
{
	struct script *s = script_of(L);

	role_assert_co();
	libs_open(L);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setglobal(L, "freeswitch");
	globals_open(L);
	event_open(L);
	dbh_open(L);
	json_open(L);
	session_open(L);
	if (s->session) {
		session_push(L, s->session);
		lua_setglobal(L, "session");
	}
	if (s->out) {
		stream_push(L);
		lua_setglobal(L, "stream");
	}
	if (s->event) {
		event_push_copy(L, s->event);
		lua_setglobal(L, "event");
	}
	if (s->question)
		push_question(L, s->question);
	if (s->env) {
		event_push_copy(L, s->env);
		lua_setglobal(L, "env");
	}
	lua_settop(L, 0);
	push_chunk(L, s->code);
	lua_call(L, 0, 0);
	lua_settop(L, 0);
	if (s->is_dialplan)
		take_actions(L, s->leg);
	if (s->question)
		take_answer(L, s);
	return 0;
}

/* Tells an error and takes it from the stack; true: it was only the quiet end. */
static bool take_error(struct script *s, int rc)
{
	lua_State *L = s->L;
	bool is_quiet = lua_touserdata(L, -1) == &quiet_end;

	if (rc == LUA_ERRMEM)
		log_uuid(LOG_ERR, script_uuid(s), "%sstopped: out of memory (memory-limit of lua.conf)", s->place);
	else if (!is_quiet)
		log_uuid(LOG_ERR, script_uuid(s), "%s",
		    lua_tostring(L, -1) ? lua_tostring(L, -1) : "an error that is no text");
	lua_pop(L, 1);
	return is_quiet;
}

struct run {
	struct script *script;
	int status;
};

static void run_main(void *arg)
{
	struct run *r = arg;
	struct script *s = r->script;
	lua_State *L = lua_newstate(allocate, s);
	int rc;

	role_assert_co();
	if (!L) {
		log_uuid(LOG_ERR, script_uuid(s), "no memory for a script");
		r->status = ST_NOMEM;
		return;
	}
	s->L = L;
	*(struct script **)lua_getextraspace(L) = s;
	lua_sethook(L, on_count, LUA_MASKCOUNT, COUNT_INSTRUCTIONS);
	lua_pushcfunction(L, script_traceback);
	lua_pushcfunction(L, script_body);
	rc = lua_pcall(L, 0, 0, 1);
	if (rc && !take_error(s, rc))
		r->status = ST_INVAL;
	lua_pushcfunction(L, session_finish);
	rc = lua_pcall(L, 0, 0, 1);
	if (rc)
		take_error(s, rc);
	s->L = NULL;
	lua_close(L);
}

int script_run(const struct script_job *job)
{
	struct script s = {.leg = job->leg,
	    .session = job->session,
	    .out = job->out,
	    .event = job->event,
	    .env = job->env,
	    .code = job->code,
	    .is_dialplan = job->is_dialplan,
	    .question = job->question,
	    .answer = job->answer};
	struct run r = {.script = &s};
	int st;

	s.turn_us = loop_now_us();
	s.slice_from_us = clock_mono_us();
	list_push(&running, &s.link);
	running_count++;
	st = co_call_deep(run_main, &r);
	list_remove(&s.link);
	running_count--;
	if (st)
		log_uuid(LOG_CRIT, script_uuid(&s), "no memory for a script's stack");
	return st ? st : r.status;
}

/* ---- in the background ---- */

struct background {
	struct ldefer start;
	char *code;
	struct event *event;
};

static void background_free(struct background *b)
{
	background_count--;
	mem_unref(b->event);
	mem_free(b->code);
	mem_free(b);
}

static void background_main(void *arg)
{
	struct background *b = arg;

	role_assert_co();
	script_run(&(struct script_job){.code = b->code, .event = b->event});
	background_free(b);
}

static void background_start(void *arg)
{
	role_assert_ctl();
	if (co_spawn("lua", background_main, arg, NULL)) {
		log_uuid(LOG_CRIT, NULL, "no memory for a script's stack");
		background_free(arg);
	}
}

int script_spawn(const char *code, struct event *event)
{
	struct background *b;

	if (background_count >= BACKGROUND_MAX)
		return ST_LIMIT;
	b = mem_zalloc(sizeof(*b));
	if (!b)
		return ST_NOMEM;
	b->code = mem_strdup(code);
	b->event = mem_ref(event);
	background_count++;
	loop_defer(&b->start, "lua", background_start, b);
	return ST_OK;
}
