/* Any text as extensions.conf, hunted with a fixed call in every context it may name.
 * Parser: dialplan/ast_parse.c, dialplan/ast_hunt.c */
#include "base/mem.h"
#include "dialplan/dialplan.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *get(void *arg, const char *name)
{
	return "1001";
}

static const char *get_field(void *arg, const char *name, struct buf *scratch)
{
	return get(arg, name);
}

static void report(const char *problem, void *arg)
{
	*(volatile size_t *)arg += strlen(problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const contexts[] = {"default", "a", "nosuch"};
	size_t total = 0;
	struct dp_env env = {.arg = &total, .field = get_field, .var = get};
	struct dp_ast *ast = NULL;

	if (dp_ast_parse(&ast, (struct sv){(const char *)data, size}, "f", report, &total))
		return 0;
	for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++) {
		struct dp_actions found = {0};
		dp_ast_hunt(ast, &env, contexts[i], "1001", &found);
		dp_actions_fini(&found);
	}
	dp_ast_free(ast);
	return 0;
}
