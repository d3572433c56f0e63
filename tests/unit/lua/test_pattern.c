/* lua/pattern against Lua's own functions: the same results and the same errors, for a table of cases and for many
 * patterns put together at random; and one that would take for ever is stopped. */
#include "harness.h"
#include "lua/lua_i.h"
#include <lualib.h>
#include <stdio.h>
#include <string.h>

static const char script[] =
    "local function show(...)\n"
    "  local t = table.pack(...)\n"
    "  for i = 1, t.n do t[i] = math.type(t[i]) == 'integer' and t[i] or tostring(t[i]) end\n"
    "  return table.concat(t, '|')\n"
    "end\n"
    "local function all(lib, name, s, p, ...)\n"
    "  if name == 'gmatch' then\n"
    "    local out = {}\n"
    "    for a, b in lib.gmatch(s, p, ...) do out[#out + 1] = show(a, b) end\n"
    "    return table.concat(out, ';')\n"
    "  end\n"
    "  return lib[name](s, p, ...)\n"
    "end\n"
    "local count = 0\n"
    "local function same(name, ...)\n"
    "  count = count + 1\n"
    "  local a = show(pcall(all, string, name, ...))\n"
    "  local b = show(pcall(all, mine, name, ...))\n"
    "  if a ~= b then error(name .. ' ' .. show(...) .. '\\n  Lua:  ' .. a .. '\\n  mine: ' .. b, 0) end\n"
    "end\n"
    "local subjects = {'', 'a', 'hello world', 'key = value', '  trim me  ', 'THE (quick) fox', 'a,b,,c', '((x)(y))', "
    "'2026-11-21', 'aaa',\n"
    "  'x\\0y', 'f(a(b)c)d', 'sip:1000@10.0.0.1:5060', string.rep('ab', 50), '\\255\\128z', '[]', 'a]b-c^d%e'}\n"
    "local patterns = {'', '.', '%a+', '(%w+)%s*=%s*(%w+)', '^%s*(.-)%s*$', '%f[%w]%w+', '%b()', '()', '()a()', "
    "'(a)(b)?', '[^,]*', '[a-c]+',\n"
    "  '[]]', '[^]]', '[%]-]', '[a-]', '^a', 'a$', '$', '^', '^$', '(.)%1', '%d%d-', '.-b', '.*b', 'a?', '%', '[', "
    "'[a', '[%', '[]', '(', ')', '(()',\n"
    "  '%1', '(%1)', '%b', '%bx', '%f', '%fa', '%z', '%Z', '%A', '%S+', '[%a_][%w_]*', '[^%c%p]', '%x%X', 'l+', "
    "'((a))', '(((((((((a))))))))', 'a-$',\n"
    "  '%%', '%.', '.', '[%.]', 'x%0y', '[\\128-\\255]', '^^', '$$', 'a*?', '--', '[a%-z]', '[z-a]', '%g+', '%l%U', "
    "'*a', '+', '?', '-'}\n"
    "for _, s in ipairs(subjects) do\n"
    "  for _, p in ipairs(patterns) do\n"
    "    same('find', s, p) same('match', s, p) same('gmatch', s, p) same('gsub', s, p, '<%0>') same('gsub', s, p, "
    "'%1')\n"
    "    same('find', s, p, 3) same('match', s, p, -3) same('gmatch', s, p, 2) same('find', s, p, 1, true) "
    "same('find', s, p, 100)\n"
    "    same('gsub', s, p, '%%-%1', 1) same('gsub', s, p, function(a, b) return b or a end) same('gsub', s, p, {a = "
    "'X', ab = 1, [1] = false})\n"
    "    same('gsub', s, p, function() end) same('gsub', s, p, 7) same('find', s, p, -100) same('find', s, p, 0)\n"
    "  end\n"
    "end\n"
    "same('gsub', 'abc', 'b', '%2') same('gsub', 'abc', 'b', '%') same('gsub', 'abc', 'b', '%x') same('gsub', 'abc', "
    "'b', true)\n"
    "same('gsub', 'abc', 'b', function() return {} end) same('gsub', 'abc', '', '-') same('gsub', 'abc', '.', '%0%0', "
    "2)\n"
    "same('find', 'a', string.rep('(', 40)) same('find', 'a', string.rep('(a', 33) .. string.rep(')', 33)) "
    "same('find', string.rep('a', 300), string.rep('a?', 300))\n"
    "same('gmatch', 'abc', '') same('gmatch', 'abc', '^a') same('gmatch', 'xuxx uu ppar r', '()(.)%2') same('match', "
    "'0123456789', '(%d)(%d)(%d)(%d)')\n"
    "local pieces = {'a', 'b', '.', '%a', '%d', '%s', '%W', '[ab]', '[^a]', '[%d.]', '(', ')', '()', '*', '+', '-', "
    "'?', '^', '$', '%1', '%b()', '%f[a]', 'c', ' '}\n"
    "local letters = {'a', 'b', 'c', '1', ' ', '(', ')', '.', 'A'}\n"
    "math.randomseed(42)\n"
    "for i = 1, 3000 do\n"
    "  local p, s = {}, {}\n"
    "  for j = 1, math.random(0, 6) do p[j] = pieces[math.random(#pieces)] end\n"
    "  for j = 1, math.random(0, 12) do s[j] = letters[math.random(#letters)] end\n"
    "  p, s = table.concat(p), table.concat(s)\n"
    "  same('find', s, p) same('match', s, p, math.random(-3, 5)) same('gmatch', s, p) same('gsub', s, p, '[%0]') "
    "same('gsub', s, p, string.upper, 3)\n"
    "end\n"
    "return count\n";

static const char endless[] = "return mine.find(('a'):rep(100), ('a*'):rep(20) .. 'b')";

struct run {
	const char *code;
	struct script script;
	char result[2000];
	bool is_error;
};

static void run_main(void *arg)
{
	struct run *r = arg;
	lua_State *L = luaL_newstate();

	role_assert_co();
	*(struct script **)lua_getextraspace(L) = &r->script;
	luaL_openlibs(L);
	lua_newtable(L);
	luaL_setfuncs(L, pattern_functions, 0);
	lua_setglobal(L, "mine");
	r->is_error = luaL_loadbuffer(L, r->code, strlen(r->code), "=test") || lua_pcall(L, 0, 1, 0);
	snprintf(r->result, sizeof(r->result), "%s", lua_tostring(L, -1) ? lua_tostring(L, -1) : "nil");
	lua_close(L);
}

NO_ROLE_CHECK static int run(struct run *r, const char *code)
{
	*r = (struct run){.code = code};
	EXPECT_INT(co_spawn("lua", run_main, r, NULL), 0);
	while (co_live_count())
		loop_run_once();
	return 0;
}

static struct run r;

NO_ROLE_CHECK static int test_same_as_lua(void)
{
	lua_conf.instruction_limit = UINT64_MAX;
	EXPECT_INT(run(&r, script), 0);
	if (r.is_error)
		fprintf(stderr, "# %s\n", r.result);
	EXPECT(!r.is_error);
	fprintf(stderr, "# %s comparisons\n", r.result);
	return 0;
}

NO_ROLE_CHECK static int test_endless_is_stopped(void)
{
	lua_conf.instruction_limit = 1000000;
	EXPECT_INT(run(&r, endless), 0);
	EXPECT(r.is_error);
	EXPECT_STR(r.result, "test:1: stopped: it neither waits nor ends (instruction-limit of lua.conf)");
	return 0;
}

TEST_MAIN({"same_as_lua", test_same_as_lua, TEST_LOOP}, {"endless_is_stopped", test_endless_is_stopped, TEST_LOOP})
