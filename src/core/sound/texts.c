/* What a leg is told of its profile in words. All legs of a profile are told the same, so legs that are hold one copy
 * between them: it is found among those that are in use, and goes with the last leg that holds it. */
#include "base/list.h"
#include "base/mem.h"
#include "core/sound/media_i.h"

#include <string.h>

enum { LOOKED_AT_MAX = 32 }; /* as many profiles are in use at once, hardly more */
static struct list in_use = {{&in_use.head, &in_use.head}};

#define EACH_TEXT(X) \
	X(rtp_host) \
	X(advertise_host) \
	X(inbound_codecs) \
	X(outbound_codecs) \
	X(negotiation) \
	X(username) \
	X(hold_music) \
	X(candidate_acl) \
	X(nat_acl) \
	X(local_acl)

static void texts_free(void *obj)
{
	struct media_texts *t = obj;

	list_remove(&t->link);
#define FREE(field) mem_free(t->field);
	EACH_TEXT(FREE)
#undef FREE
}

static bool is_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool are_same(const struct media_texts *a, const struct media_texts *b)
{
#define SAME(field) &&is_text(a->field, b->field)
	return true EACH_TEXT(SAME);
#undef SAME
}

static const char *text_or(const char *text, const char *other)
{
	return text ? text : other;
}

struct media_texts *media_texts_of(const struct leg_media_conf *c)
{
	struct media_texts want = {.rtp_host = (char *)text_or(c->rtp_host, "127.0.0.1"),
	    .inbound_codecs = (char *)text_or(c->inbound_codecs, "PCMU,PCMA"),
	    .outbound_codecs = (char *)text_or(c->outbound_codecs, "PCMU,PCMA"),
	    .negotiation = (char *)text_or(c->negotiation, "generous"),
	    .username = (char *)text_or(c->sdp_username, "FreeSWITCH"),
	    .hold_music = (char *)(c->hold_music && *c->hold_music ? c->hold_music : NULL),
	    .candidate_acl = (char *)text_or(c->candidate_acl, ""),
	    .nat_acl = (char *)text_or(c->nat_acl, ""),
	    .local_acl = (char *)text_or(c->local_acl, "")};
	struct media_texts *t;
	unsigned n = 0;

	want.advertise_host = (char *)text_or(c->advertise_host, want.rtp_host);
	for (struct lnode *at = in_use.head.next; at != &in_use.head && n < LOOKED_AT_MAX; at = at->next, n++) {
		t = list_entry(at, struct media_texts, link);
		if (are_same(t, &want))
			return mem_ref(t);
	}
	t = mem_new(sizeof(*t), texts_free, "sound.texts");
	if (!t)
		return NULL;
	list_unshift(&in_use, &t->link);
#define COPY(field) t->field = mem_strdup(want.field);
	EACH_TEXT(COPY)
#undef COPY
	return t;
}
