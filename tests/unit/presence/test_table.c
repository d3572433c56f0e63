/* The table of states: what watches are told, what a state means as a whole, what goes when nothing holds it, out of
 * memory at any point. */
#include "core/event/event.h"
#include "harness.h"
#include "loop/loop.h"
#include "presence/presence_i.h"
#include <stdio.h>
#include <string.h>

static unsigned told;

static void on_changed(struct presence_watch *w)
{
	told++;
}

static ON_CTL int begin(void)
{
	told = 0;
	int st = presence_table_start();
	return st ? st : presence_hear_start();
}

static ON_CTL void end(void)
{
	presence_hear_stop();
	presence_table_stop();
}

static ON_CTL void say(const char *user, const char *rpid, const char *note, bool is_closed, bool is_gone)
{
	presence_publish(&(struct presence_words){.user = sv_of(user),
	    .host = SV("h"),
	    .rpid = sv_of(rpid),
	    .note = sv_of(note),
	    .is_closed = is_closed,
	    .is_gone = is_gone});
}

static ON_CTL void lamp(const char *name, bool is_on)
{
	presence_lamp(&(struct presence_lamp){.kind = "park",
	    .name = name,
	    .host = "h",
	    .status = is_on ? "Active (1 caller)" : "Empty",
	    .rpid = "unknown",
	    .is_on = is_on});
}

static int words(void)
{
	struct presence_watch w = {0};
	struct presence_view v;
	role_assert_ctl();
	EXPECT(!begin());
	EXPECT(!presence_watch_add(&w, SV_NONE, SV("1001"), SV("h"), on_changed));
	presence_view_get(w.entity, &v);
	EXPECT(!v.is_open && !v.rpid);
	EXPECT_STR(v.note, "Unregistered");
	say("1001", "away", "lunch", false, false);
	EXPECT_INT(told, 1);
	presence_view_get(w.entity, &v);
	EXPECT(v.is_open);
	EXPECT_STR(v.rpid, "away");
	EXPECT_STR(v.note, "lunch");
	uint64_t serial = w.entity->serial;
	say("1001", "", "", true, false);
	EXPECT(w.entity->serial > serial);
	presence_view_get(w.entity, &v);
	EXPECT(!v.is_open && !v.rpid);
	say("1001", "", "", false, true);
	say("nobody", "", "", false, true); /* nothing was known of it, and nothing is made */
	EXPECT_INT(told, 3);
	EXPECT_INT(presence_entity_count(), 1);
	presence_watch_del(&w);
	presence_watch_del(&w);
	EXPECT_INT(presence_entity_count(), 0);
	end();
	return 0;
}

static int lamps(void)
{
	struct presence_watch w = {0}, same = {0};
	role_assert_ctl();
	EXPECT(!begin());
	EXPECT(!presence_watch_add(&w, SV_NONE, SV("park+5900"), SV("h"), on_changed));
	EXPECT(!presence_watch_add(&same, SV("park"), SV("5900"), SV("H"), on_changed));
	EXPECT(w.entity == same.entity);
	EXPECT_STR(w.entity->kind, "park");
	EXPECT_STR(w.entity->user, "5900");
	lamp("5900", true);
	EXPECT_INT(told, 2);
	struct presence_dialog *d = list_entry(list_first(&w.entity->dialogs), struct presence_dialog, link);
	EXPECT_INT(d->state, PRESENCE_CONFIRMED);
	EXPECT_STR(d->status, "Active (1 caller)");
	lamp("5900", true); /* the same again: no second one */
	EXPECT(w.entity->dialogs.head.prev == &d->link);
	lamp("5900", false);
	EXPECT(list_empty(&w.entity->dialogs));
	EXPECT_INT(w.entity->ended_count, 1);
	for (int i = 0; i < 3 * PRESENCE_ENDED_MAX; i++)
		lamp("5900", true), lamp("5900", false);
	EXPECT_INT(w.entity->ended_count, PRESENCE_ENDED_MAX);
	lamp("5901", true); /* nobody watches: it is known, and gone with its end */
	EXPECT_INT(presence_entity_count(), 2);
	lamp("5901", false);
	EXPECT_INT(presence_entity_count(), 1);
	presence_watch_del(&w);
	presence_watch_del(&same);
	EXPECT_INT(presence_entity_count(), 0);
	end();
	return 0;
}

static ON_CTL void fire(const char *from, const char *proto, const char *id, const char *answer)
{
	struct event *e = event_new(EVENT_PRESENCE_IN, NULL);
	if (!e)
		return;
	event_add(e, "from", from);
	event_add(e, "proto", proto);
	event_add(e, "rpid", "busy");
	event_add(e, "status", "words");
	if (id)
		event_add(e, "unique-id", id);
	if (answer)
		event_add(e, "answer-state", answer);
	event_fire(e);
}

static int events(void)
{
	struct presence_watch w = {0};
	struct presence_view v;
	role_assert_ctl();
	EXPECT(!begin());
	EXPECT(!event_is_wanted(EVENT_PRESENCE_IN, NULL)); /* to overhear makes nobody build one */
	EXPECT(!presence_watch_add(&w, SV_NONE, SV("1001"), SV("h"), on_changed));
	fire("sip:1001@h", "sip", NULL, NULL);
	presence_view_get(w.entity, &v);
	EXPECT_STR(v.rpid, "busy");
	fire("1001@h", "sip", "id-1", "early");
	presence_view_get(w.entity, &v);
	EXPECT_STR(v.rpid, "on-the-phone");
	fire("1001@h", "sip", "id-1", "terminated");
	fire("1001", "sip", "id-2", "early");
	fire("@h", "sip", "id-2", "early");
	EXPECT(list_empty(&w.entity->dialogs));
	EXPECT_INT(told, 3);
	presence_watch_del(&w);
	say("1001", "", "", false, true);
	EXPECT_INT(presence_entity_count(), 0);
	end();
	return 0;
}

/* Notes are cut between characters. */
static int notes(void)
{
	char text[400];
	struct presence_watch w = {0};
	struct presence_view v;
	role_assert_ctl();
	EXPECT(!begin());
	EXPECT(!presence_watch_add(&w, SV_NONE, SV("1001"), SV("h"), on_changed));
	for (size_t at = PRESENCE_NOTE_MAX - 4; at < PRESENCE_NOTE_MAX; at++) {
		memset(text, 'x', sizeof(text));
		snprintf(text + at, sizeof(text) - at, "\xe6\x97\xa5 and more");
		say("1001", "", text, false, false);
		presence_view_get(w.entity, &v);
		size_t n = strlen(v.note);
		EXPECT(n < PRESENCE_NOTE_MAX && (v.note[n - 1] == 'x' || (n == at + 3 && v.note[n - 1] == '\xa5')));
	}
	say("1001", "", "a\r\nb", false, false);
	presence_view_get(w.entity, &v);
	EXPECT_STR(v.note, "a  b");
	say("1001", "", "", false, true);
	presence_watch_del(&w);
	end();
	return 0;
}

static int no_memory(void)
{
	struct presence_watch w = {0};
	role_assert_ctl();
	if (!begin() && !presence_watch_add(&w, SV_NONE, SV("1001"), SV("h"), on_changed)) {
		say("1001", "away", "lunch", false, false);
		lamp("5900", true), lamp("5900", false);
		fire("1001@h", "sip", "id-1", "early");
		fire("1001@h", "sip", "id-1", "terminated");
	}
	presence_watch_del(&w);
	end();
	return 0;
}

TEST_MAIN({"what somebody says", words, TEST_LOOP}, {"lamps", lamps, TEST_LOOP}, {"events", events, TEST_LOOP},
    {"notes", notes, TEST_LOOP}, {"no memory", no_memory, TEST_LOOP | TEST_OOM})
