/* freeswitch.Event and freeswitch.EventConsumer. An Event object is a script's own copy; a consumer keeps what was
 * fired in a bounded queue until the script takes it. */
#include "core/event/event.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "lua/lua_i.h"
#include <string.h>
#include <strings.h>

#define EVENT_CLASS "freeswitch.Event"
#define CONSUMER_CLASS "freeswitch.EventConsumer"
enum { QUEUE_DEFAULT = 5000, QUEUE_MAX = 100000 };

struct lua_event {
	struct event *event; /* a reference */
};

static struct event *event_arg(lua_State *L, int index)
{
	return ((struct lua_event *)luaL_checkudata(L, index, EVENT_CLASS))->event;
}

static struct lua_event *event_slot(lua_State *L)
{
	struct lua_event *le = lua_newuserdatauv(L, sizeof(*le), 0);
	le->event = NULL;
	luaL_setmetatable(L, EVENT_CLASS);
	return le;
}

/* A copy with an identity of its own; of several headers of one name the last stays. */
static ON_CTL struct event *copy_of(struct event *e)
{
	struct event *copy = event_new(event_id(e), event_subclass(e));

	for (size_t i = 0; copy && i < event_header_count(e); i++) {
		const char *name, *value;
		event_header_at(e, i, &name, &value);
		event_set(copy, name, value);
	}
	if (copy)
		event_set_body(copy, event_body(e));
	return copy;
}

void event_push_copy(lua_State *L, struct event *e)
{
	struct lua_event *le = event_slot(L);

	le->event = copy_of(e);
	if (!le->event)
		luaL_error(L, "no memory for an event");
}

/* (type, subclass): an unknown type is a MESSAGE, a subclass makes it CUSTOM, as in FreeSWITCH. */
static int l_new(lua_State *L)
{
	const char *type = luaL_checkstring(L, 1), *subclass = luaL_optstring(L, 2, NULL);
	enum event_id id = EVENT_MESSAGE;
	struct lua_event *le;

	role_assert_co();
	event_id_parse(sv_of(type), &id);
	if (subclass && !*subclass)
		subclass = NULL;
	if (subclass)
		id = EVENT_CUSTOM;
	le = event_slot(L);
	le->event = event_new(id, subclass);
	return le->event ? 1 : luaL_error(L, "no memory for an event");
}

static int l_gc(lua_State *L)
{
	struct lua_event *le = luaL_checkudata(L, 1, EVENT_CLASS);

	role_assert_co();
	le->event = mem_unref(le->event);
	return 0;
}

static int l_add_header(lua_State *L)
{
	struct event *e = event_arg(L, 1);

	role_assert_co();
	event_add(e, luaL_checkstring(L, 2), luaL_checkstring(L, 3));
	lua_pushboolean(L, 1);
	return 1;
}

static int l_get_header(lua_State *L)
{
	role_assert_co();
	lua_pushstring(L, event_get(event_arg(L, 1), luaL_checkstring(L, 2)));
	return 1;
}

static int l_del_header(lua_State *L)
{
	struct event *e = event_arg(L, 1);
	const char *name = luaL_checkstring(L, 2);

	role_assert_co();
	lua_pushboolean(L, event_get(e, name) != NULL);
	event_del(e, name);
	return 1;
}

static int l_add_body(lua_State *L)
{
	struct event *e = event_arg(L, 1);
	struct sv body;

	role_assert_co();
	body.p = luaL_checklstring(L, 2, &body.n);
	event_set_body(e, body);
	lua_pushboolean(L, 1);
	return 1;
}

static int l_get_body(lua_State *L)
{
	struct sv body;

	role_assert_co();
	body = event_body(event_arg(L, 1));
	if (body.n)
		lua_pushlstring(L, body.p, body.n);
	else
		lua_pushnil(L);
	return 1;
}

static int l_get_type(lua_State *L)
{
	role_assert_co();
	lua_pushstring(L, event_name(event_id(event_arg(L, 1))));
	return 1;
}

static int l_serialize(lua_State *L)
{
	struct event *e = event_arg(L, 1);
	const char *format = luaL_optstring(L, 2, "");
	struct sv text;

	role_assert_co();
	text = event_render(e, !strcasecmp(format, "xml")    ? EVENT_XML
	                       : !strcasecmp(format, "json") ? EVENT_JSON
	                                                     : EVENT_PLAIN);
	lua_pushlstring(L, text.p ? text.p : "", text.n);
	return 1;
}

/* Fires a copy: the object stays the script's. */
static int l_fire(lua_State *L)
{
	struct event *copy;

	role_assert_co();
	copy = copy_of(event_arg(L, 1));
	event_fire(copy);
	lua_pushboolean(L, copy != NULL);
	return 1;
}

/* Adds the headers of another event. */
static int l_merge(lua_State *L)
{
	struct event *e = event_arg(L, 1), *from = event_arg(L, 2);

	role_assert_co();
	for (size_t i = 0; i < event_header_count(from); i++) {
		const char *name, *value;
		event_header_at(from, i, &name, &value);
		event_set(e, name, value);
	}
	lua_pushboolean(L, 1);
	return 1;
}

static int l_set_priority(lua_State *L)
{
	event_arg(L, 1);
	lua_pushboolean(L, 1); /* events here have none */
	return 1;
}

static int l_chat(lua_State *L)
{
	return luaL_error(L, "chat applications are not available here");
}

/* ---- the consumer ---- */

struct consumer {
	struct script *script;
	struct event_sub *sub;
	struct event **ring;
	size_t first, count, max, cap;
	uint64_t lost;
};

static struct consumer *consumer_arg(lua_State *L, int index)
{
	return luaL_checkudata(L, index, CONSUMER_CLASS);
}

/* The ring doubles up to max; then the newest is lost, as in FreeSWITCH. */
static bool ring_fits(struct consumer *c)
{
	size_t cap = c->cap ? c->cap * 2 : 16;
	struct event **ring;

	if (c->count < c->cap)
		return true;
	if (c->count >= c->max || !(ring = mem_alloc(cap * sizeof(struct event *))))
		return false;
	for (size_t i = 0; c->cap && i < c->count; i++)
		ring[i] = c->ring[(c->first + i) % c->cap];
	mem_free(c->ring);
	c->ring = ring, c->cap = cap, c->first = 0;
	return true;
}

static void on_event(struct event *e, void *arg)
{
	struct consumer *c = arg;

	role_assert_ctl();
	if (c->count >= c->max || !ring_fits(c)) {
		if (!c->lost++)
			log_uuid(LOG_WARNING, script_uuid(c->script), "an EventConsumer does not pop: events are lost");
		return;
	}
	c->ring[(c->first + c->count++) % c->cap] = mem_ref(e);
	script_wake(c->script);
}

static ON_CTL void bind_to(lua_State *L, struct consumer *c, const char *name, const char *subclass)
{
	enum event_id id;

	if (event_id_parse(sv_of(name), &id))
		luaL_error(L, "EventConsumer: there is no event '%s'", name);
	if (id == EVENT_CUSTOM && subclass && *subclass)
		event_sub_want_subclass(c->sub, subclass, true);
	else
		event_sub_want(c->sub, id, true);
}

/* ([event [, subclass [, queue length]]]) */
static int l_consumer_new(lua_State *L)
{
	const char *name = luaL_optstring(L, 1, NULL), *subclass = luaL_optstring(L, 2, NULL);
	int64_t max = script_whole(luaL_optnumber(L, 3, QUEUE_DEFAULT));
	struct consumer *c;

	role_assert_co();
	c = lua_newuserdatauv(L, sizeof(*c), 0);
	*c = (struct consumer){.script = script_of(L)};
	c->max = max < 1 ? 1 : max > QUEUE_MAX ? QUEUE_MAX : (size_t)max;
	luaL_setmetatable(L, CONSUMER_CLASS);
	if (event_sub_new(&c->sub, on_event, c))
		return luaL_error(L, "no memory for an EventConsumer");
	if (name && *name)
		bind_to(L, c, name, subclass);
	return 1;
}

static ON_CTL struct event *take(struct consumer *c)
{
	struct event *e;

	if (!c->count)
		return NULL;
	e = c->ring[c->first];
	c->first = (c->first + 1) % c->cap;
	c->count--;
	return e;
}

static ON_CTL void consumer_close(struct consumer *c)
{
	struct event *e;

	event_sub_free(c->sub);
	c->sub = NULL;
	while ((e = take(c)))
		mem_unref(e);
	mem_free(c->ring);
	c->ring = NULL, c->cap = 0;
}

static int l_consumer_gc(lua_State *L)
{
	role_assert_co();
	consumer_close(consumer_arg(L, 1));
	return 0;
}

static int l_bind(lua_State *L)
{
	struct consumer *c = consumer_arg(L, 1);

	role_assert_co();
	if (!c->sub)
		return luaL_error(L, "this EventConsumer was cleaned up");
	bind_to(L, c, luaL_checkstring(L, 2), luaL_optstring(L, 3, NULL));
	lua_pushinteger(L, 1);
	return 1;
}

static bool is_asked(lua_State *L, int index)
{
	return lua_type(L, index) == LUA_TNUMBER ? lua_tointeger(L, index) != 0 : lua_toboolean(L, index);
}

/* ([block [, timeout in ms]]): the oldest event or nil. Waiting ends with the leg, too. */
static int l_pop(lua_State *L)
{
	struct consumer *c = consumer_arg(L, 1);
	bool is_blocking = is_asked(L, 2);
	int64_t timeout_ms = script_whole(luaL_optnumber(L, 3, 0));
	int64_t end = timeout_ms > 0 ? clock_mono_us() + clock_us_of_ms(timeout_ms) : -1;
	struct lua_event *le;
	int st = ST_OK;

	role_assert_co();
	while (is_blocking && !c->count && c->sub && st == ST_OK) {
		int64_t left = end < 0 ? -1 : end - clock_mono_us();
		st = end >= 0 && left <= 0 ? ST_TIMEOUT : script_wait(c->script, left);
	}
	if (!is_blocking)
		script_waited(c->script);
	if (!c->count) {
		lua_pushnil(L);
		return 1;
	}
	le = event_slot(L);
	/* the last one to hold it may change it; others get a copy */
	le->event = take(c);
	if (mem_refs(le->event) > 1) {
		struct event *copy = copy_of(le->event);
		mem_unref(le->event);
		le->event = copy;
	}
	return le->event ? 1 : luaL_error(L, "no memory for an event");
}

void event_open(lua_State *L)
{
	static const luaL_Reg event_methods[] = {{"addHeader", l_add_header}, {"getHeader", l_get_header},
	    {"delHeader", l_del_header}, {"addBody", l_add_body}, {"getBody", l_get_body}, {"getType", l_get_type},
	    {"serialize", l_serialize}, {"fire", l_fire}, {"merge", l_merge}, {"setPriority", l_set_priority},
	    {"chatExecute", l_chat}, {"chatQueue", l_chat}, {NULL, NULL}};
	static const luaL_Reg consumer_methods[] = {
	    {"bind", l_bind}, {"pop", l_pop}, {"cleanup", l_consumer_gc}, {NULL, NULL}};

	object_class(L, EVENT_CLASS, event_methods, l_gc);
	object_class(L, CONSUMER_CLASS, consumer_methods, l_consumer_gc);
	lua_pushcfunction(L, l_new);
	lua_setfield(L, -2, "Event");
	lua_pushcfunction(L, l_consumer_new);
	lua_setfield(L, -2, "EventConsumer");
}
