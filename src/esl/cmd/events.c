/* The commands that say which events a client gets: event, nixevent, noevents, myevents, filter. The wishes are kept in
 * the client and handed to core's subscription, which then calls only for what somebody wants. */
#include "base/hash.h"
#include "core/event/event.h"
#include "esl/cmd/cmd_i.h"

#include <string.h>
#include <strings.h>

enum { SUBCLASSES_MAX = 1024 };
static const char *const format_names[] = {"plain", "xml", "json", "plain"};

/* The next word of *p (spaces, tabs and commas part words); false at the end. */
static bool next_word(const char **p, struct sv *word)
{
	*p += strspn(*p, " \t,");
	*word = (struct sv){*p, strcspn(*p, " \t,")};
	*p += word->n;
	return word->n > 0;
}

static bool parse_format(struct sv word, enum event_format *out)
{
	for (int f = EVENT_PLAIN; f <= EVENT_JSON; f++)
		if (sv_isi(word, format_names[f])) {
			*out = (enum event_format)f;
			return true;
		}
	return false;
}

static ON_CTL void want(struct esl_client *c, enum event_id id, bool is_wanted)
{
	if (c->wants[id] == is_wanted)
		return;
	c->wants[id] = is_wanted;
	if (id != EVENT_CUSTOM) /* of those only the named subclasses are sent */
		event_sub_want(c->sub, id, is_wanted);
}

/* False: the client has as many as it may, or the name is too long. What it has stays, here and in core alike. */
static ON_CTL bool want_subclass(struct esl_client *c, struct sv name, bool is_wanted)
{
	char text[256];
	if (name.n >= sizeof(text) || (!c->subclasses && hash_new(&c->subclasses, 0, NULL)))
		return false;
	memcpy(text, name.p, name.n);
	text[name.n] = 0;
	if (is_wanted && !hash_get(c->subclasses, name) &&
	    (hash_count(c->subclasses) >= SUBCLASSES_MAX || hash_set(c->subclasses, name, c)))
		return false;
	if (!is_wanted)
		hash_take(c->subclasses, name);
	event_sub_want_subclass(c->sub, text, is_wanted);
	return true;
}

/* Gives up ALL for every single one, so that some can be taken out again. */
static ON_CTL void spread_all(struct esl_client *c)
{
	if (!c->wants[EVENT_ALL])
		return;
	want(c, EVENT_ALL, false);
	for (int id = 0; id < EVENT_ALL; id++)
		want(c, (enum event_id)id, true);
}

/* Goes through the names; returns how many were understood, in *refused_count those that found no room. After CUSTOM
 * every word is a subclass. */
static ON_CTL unsigned apply_names(
    struct esl_client *c, const char *args, bool is_wanted, bool takes_format, unsigned *refused_count)
{
	unsigned count = 0;
	bool in_custom = false;
	struct sv word;
	for (unsigned i = 0; next_word(&args, &word); i++) {
		enum event_id id;
		if (i == 0 && takes_format && parse_format(word, &c->format))
			continue;
		if (in_custom) {
			*refused_count += !want_subclass(c, word, is_wanted);
			count++;
		} else if (!event_id_parse(word, &id)) {
			if (!is_wanted && id == EVENT_ALL) {
				for (int k = 0; k < EVENT_ID_COUNT; k++)
					want(c, (enum event_id)k, false);
			} else if (!is_wanted) {
				spread_all(c);
			}
			want(c, id, is_wanted);
			in_custom = id == EVENT_CUSTOM;
			count++;
		}
	}
	return count;
}

void esl_cmd_event(struct esl_client *c, const struct stanza *r, const char *args)
{
	enum event_format before = c->format;
	unsigned refused_count = 0;
	if (esl_client_subscribe(c)) {
		esl_client_reply(c, "-ERR out of resources");
		return;
	}
	if (!apply_names(c, args, true, true, &refused_count)) {
		c->format = before;
		esl_client_reply(c, "-ERR no keywords supplied");
		return;
	}
	c->is_listening = true;
	if (refused_count) {
		esl_client_reply(c, "-ERR too many subclasses: %u were not taken", refused_count);
		return;
	}
	esl_client_reply(c, "+OK event listener enabled %s", format_names[c->format]);
}

void esl_cmd_nixevent(struct esl_client *c, const struct stanza *r, const char *args)
{
	unsigned refused_count = 0;
	if (!*args || esl_client_subscribe(c) || !apply_names(c, args, false, false, &refused_count)) {
		esl_client_reply(c, "-ERR no keywords supplied");
		return;
	}
	esl_client_reply(c, "+OK events nixed");
}

void esl_cmd_noevents(struct esl_client *c, const struct stanza *r, const char *args)
{
	if (!c->is_listening) {
		esl_client_reply(c, "-ERR not listening for events");
		return;
	}
	esl_client_unsubscribe(c);
	esl_queue_clear(&c->queue);
	esl_client_reply(c, "+OK no longer listening for events");
}

/* myevents UUID [FORMAT]: the events of one call; without UUID on an outbound socket, of its own. */
void esl_cmd_myevents(struct esl_client *c, const struct stanza *r, const char *args)
{
	static const enum event_id ids[] = {EVENT_CHANNEL_CREATE, EVENT_CHANNEL_DESTROY, EVENT_CHANNEL_STATE,
	    EVENT_CHANNEL_ANSWER, EVENT_CHANNEL_HANGUP, EVENT_CHANNEL_HANGUP_COMPLETE, EVENT_CHANNEL_EXECUTE,
	    EVENT_CHANNEL_EXECUTE_COMPLETE, EVENT_CHANNEL_HOLD, EVENT_CHANNEL_UNHOLD, EVENT_CHANNEL_BRIDGE,
	    EVENT_CHANNEL_UNBRIDGE, EVENT_CHANNEL_PROGRESS, EVENT_CHANNEL_PROGRESS_MEDIA, EVENT_CHANNEL_OUTGOING,
	    EVENT_CHANNEL_PARK, EVENT_CHANNEL_UNPARK, EVENT_CHANNEL_APPLICATION, EVENT_CHANNEL_ORIGINATE,
	    EVENT_CHANNEL_UUID, EVENT_CHANNEL_DATA, EVENT_DTMF, EVENT_CALL_UPDATE, EVENT_BACKGROUND_JOB};
	struct sv uuid = c->is_outbound ? sv_of(c->leg_uuid) : (struct sv){0}, word;
	char text[256];
	bool hears_any = false;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		hears_any |= esl_may_hear(c, event_name(ids[i]));
	if (!hears_any) {
		esl_client_denied(c);
		return;
	}
	if ((!c->is_outbound && !next_word(&args, &uuid)) || uuid.n >= sizeof(text) || esl_client_subscribe(c)) {
		esl_client_reply(c, "-ERR command not found");
		return;
	}
	memcpy(text, uuid.p, uuid.n);
	text[uuid.n] = 0;
	while (next_word(&args, &word))
		parse_format(word, &c->format);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		want(c, ids[i], true);
	esl_filters_add(&c->filters, "unique-id", text);
	esl_filters_add(&c->filters, "Job-Owner-UUID", text); /* of the jobs that the call's sockets began */
	c->is_listening = true;
	esl_client_reply(c, "+OK Events Enabled");
}

static ON_CTL void filter_delete(struct esl_client *c, const char *args)
{
	struct sv name = {args, strcspn(args, " \t")};
	const char *value = args + name.n + strspn(args + name.n, " \t");
	char header[256];
	if (!name.n || name.n >= sizeof(header)) {
		esl_client_reply(c, "-ERR invalid syntax");
		return;
	}
	memcpy(header, name.p, name.n);
	header[name.n] = 0;
	esl_filters_del(&c->filters, header, value);
	esl_client_reply(c, "+OK filter deleted. [%s][%s]", header, value);
}

void esl_cmd_filter(struct esl_client *c, const struct stanza *r, const char *args)
{
	struct sv first = {args, strcspn(args, " \t")};
	const char *rest = args + first.n + strspn(args + first.n, " \t");
	char header[256];
	if (sv_isi(first, "delete")) {
		filter_delete(c, rest);
		return;
	}
	if (sv_isi(first, "add")) {
		first = (struct sv){rest, strcspn(rest, " \t")};
		rest += first.n + strspn(rest + first.n, " \t");
	}
	if (!first.n || first.n >= sizeof(header) || !*rest) {
		esl_client_reply(c, "-ERR invalid syntax");
		return;
	}
	memcpy(header, first.p, first.n);
	header[first.n] = 0;
	int st = esl_filters_add(&c->filters, header, rest);
	if (st)
		esl_client_reply(c, st == ST_PARSE ? "-ERR invalid regular expression" : "-ERR too many filters");
	else
		esl_client_reply(c, "+OK filter added. [%s]=[%s]", header, rest);
}
