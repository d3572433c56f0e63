/* Conferences for other rooms: who is in which, as a table that others keep a copy of (FreeSWITCH's liveArray; verto).
 * A subscriber asks for the rows once (conf_live_each) and is then told of each change, with a number that grows by one
 * from change to change of a room. Control thread. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "base/str.h"

struct conf_room;
enum conf_live_what { CONF_LIVE_JOINED, CONF_LIVE_CHANGED, CONF_LIVE_LEFT, CONF_LIVE_CLEARED };
struct conf_live_row {             /* borrowed during the call */
	const char *room, *domain; /* the laUName is room@domain */
	const char *member_uuid;   /* of the call: the key of the row; NULL: CONF_LIVE_CLEARED */
	struct sv json;            /* ["0001","1000","Name","PCMU@8000","{\"audio\":...}",""]; empty when it left */
	uint64_t serial;
	bool is_json_status, is_moderator;
};
struct conf_live_sub { /* embedded in whoever subscribes */
	struct lnode link;
	void (*fn)(struct conf_live_sub *s, enum conf_live_what what, const struct conf_live_row *row);
};
ON_CTL void conf_live_add(struct conf_live_sub *s);
ON_CTL void conf_live_del(struct conf_live_sub *s); /* fine when it is not there */
/* The rows of a room as they are now, in order of joining; false: there is no such room. */
ON_CTL bool conf_live_each(const char *room, void (*fn)(const struct conf_live_row *row, void *arg), void *arg);
