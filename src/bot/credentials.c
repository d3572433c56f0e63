/* As whom a stream's connection comes and whom it believes, out of the leg's variables. A caller could write into a
 * variable that the dialplan fills with what he sent; of these none is his: a byte from outside refuses the stream. */
#include "base/mem.h"
#include "base/str.h"
#include "bot/bot_i.h"
#include "core/leg/leg.h"
#include "net/dial.h"
#include "text/base64.h"
#include "text/mark.h"

#include <string.h>
#include <strings.h>

enum { AUTH_MAX = 1024 };

/* The variable's text in *out, to be freed; NULL when it is absent or empty. ST_DENIED. */
static ON_CTL int own_dup(char **out, struct leg *leg, const char *name)
{
	char *text = leg_text_dup(leg, name);
	*out = NULL;
	if (text && mark_has(sv_of(text))) {
		leg_log(leg, LOG_WARNING, "%s has text from outside: no stream", name);
		mem_free(text);
		return ST_DENIED;
	}
	if (text && *text)
		*out = text;
	else
		mem_free(text);
	return ST_OK;
}

static ON_CTL int flag_read(struct leg *leg, const char *name, unsigned flag, unsigned *flags)
{
	char *text;
	int st = own_dup(&text, leg, name);
	if (text && str_is_true(text))
		*flags |= flag;
	mem_free(text);
	return st;
}

int bot_credentials_read(struct bot_way *w, struct leg *leg)
{
	static const struct {
		const char *name;
		unsigned flag;
	} flags[] = {{"STREAM_TLS_DISABLE_HOSTNAME_VALIDATION", DIAL_SKIPS_NAME},
	    {"MOD_AUDIO_FORK_SKIP_SERVER_CERT_HOSTNAME_CHECK", DIAL_SKIPS_NAME},
	    {"MOD_AUDIO_FORK_ALLOW_EXPIRED", DIAL_SKIPS_TIME}, {"MOD_AUDIO_FORK_ALLOW_SELFSIGNED", DIAL_SKIPS_ALL}};
	int st = ST_OK;
	for (size_t i = 0; !st && i < sizeof(flags) / sizeof(flags[0]); i++)
		st = flag_read(leg, flags[i].name, flags[i].flag, &w->skips);
	if (!st)
		st = own_dup(&w->ca, leg, "STREAM_TLS_CA_FILE");
	if (!st)
		st = own_dup(&w->cert, leg, "STREAM_TLS_CERT_FILE");
	if (!st)
		st = own_dup(&w->key, leg, "STREAM_TLS_KEY_FILE");
	if (w->ca && !strcasecmp(w->ca, "SYSTEM"))
		*w->ca = 0;
	if (w->ca && !strcasecmp(w->ca, "NONE")) {
		w->skips |= DIAL_SKIPS_ALL;
		*w->ca = 0;
	}
	if (st || !w->key == !w->cert)
		return st;
	leg_log(leg, LOG_WARNING, "%s needs %s besides", w->key ? "STREAM_TLS_KEY_FILE" : "STREAM_TLS_CERT_FILE",
	    w->key ? "STREAM_TLS_CERT_FILE" : "STREAM_TLS_KEY_FILE");
	return ST_INVAL;
}

int bot_basic_auth(char **out, struct leg *leg)
{
	static const char user_var[] = "MOD_AUDIO_BASIC_AUTH_USERNAME",
	                  password_var[] = "MOD_AUDIO_BASIC_AUTH_PASSWORD";
	char *user = NULL, *password = NULL;
	struct buf plain, coded;
	int st = own_dup(&user, leg, user_var);
	*out = NULL;
	buf_init(&plain), buf_init(&coded);
	if (!st)
		st = own_dup(&password, leg, password_var);
	if (!st && user && (strchr(user, ':') || strlen(user) + strlen(password ? password : "") > AUTH_MAX)) {
		leg_log(leg, LOG_WARNING, "%s and %s: no colon in the name, %d bytes in all", user_var, password_var,
		    AUTH_MAX);
		st = ST_INVAL;
	} else if (!st && user) {
		buf_printf(&plain, "%s:%s", user, password ? password : "");
		buf_adds(&coded, "Basic ");
		if (plain.failed || base64_encode(&coded, plain.p, plain.n) || coded.failed ||
		    !(*out = mem_strdup(coded.p)))
			st = ST_NOMEM;
	}
	buf_fini(&plain), buf_fini(&coded);
	mem_free(user);
	mem_free(password);
	return st;
}
