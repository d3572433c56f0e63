/* Commands whose object is not built here (event channels, MSRP, video, text, certificates, database handles): scripts
 * that give them get FreeSWITCH's words for a system that has none of it. docs/differences.md lists them. */
#include "api/api_i.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "text/json.h"

int api_banner(struct api_call *c)
{
	role_assert_ctl();
	buf_printf(c->out, "\n.=============================================================.\n"
	                   "|   Tandem, a telephone switch that speaks FreeSWITCH         |\n"
	                   ".=============================================================.\n\n");
	return ST_OK;
}

/* No database connections are kept for modules: what they store is in files of their own (store/). */
int api_db_cache(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c, 2);
	if (!st)
		buf_adds(c->out, w.n && strstr("status", w.w[0]) ? "0 total. 0 in use.\n" : "parameter missing\n");
	api_words_fini(&w);
	return st;
}

/* A message for who listens on an event channel (WebSocket clients of mod_verto): nobody does. */
int api_event_channel_broadcast(struct api_call *c)
{
	json_t *message = NULL;
	char error[JSON_ERROR_CHARS];
	role_assert_ctl();
	if (json_parse(&message, sv_of(c->args), 1 << 20, error))
		return api_text(c, "-ERR parsing json\n");
	if (json_string_value(json_object_get(message, "eventChannel")))
		buf_adds(c->out, "+OK message sent\n");
	else
		log_error("event_channel_broadcast: NO EVENT CHANNEL SPECIFIED");
	json_decref(message);
	return ST_OK;
}

int api_reloadcert(struct api_call *c)
{
	role_assert_ctl();
	if (event_is_wanted(EVENT_CERT_RELOAD, NULL))
		event_fire(event_new(EVENT_CERT_RELOAD, NULL));
	return api_text(c, "+OK cert reload event sent\n");
}

/* ---- on a leg ---- */

void on_accepted(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, "+OK Success\n");
}

void on_taken(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, "+OK\n");
}

/* mod_sofia does not act on it either. */
void on_recovery_refresh(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, "+OK:\n");
}

/* Parameters of the far side's video; no leg has any. */
void on_media_params(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, "-ERR Operation failed\n");
}

void on_msrp_send(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, "-ERR No msrp_session.\n");
}
