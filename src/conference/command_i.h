/* The sub-commands of `conference NAME ...`. Each is a row of a table (command.c): its syntax, and what it does for the
 * room, or for each member that its first word names. */
#pragma once
#include "conference/conf_i.h"
#include "core/registry/app_words.h"

struct conf_cmd;
struct conf_call {
	struct api_call *api;
	struct buf *out;
	struct conf_room *room; /* NULL only for commands that need none */
	const char *room_name;  /* as it was given: name[@profile], plain */
	const char *room_text;  /* the same with marks */
	const struct conf_cmd *cmd;
	/* The words behind the command: n of them; NULL after the last. w plain, m marked. */
	char **w, **m;
	int n;
	const char *rest; /* all that stands behind the command, with marks; "" */
};
struct conf_cmd {
	const char *name, *syntax;
	void (*room)(struct conf_call *x);
	void (*member)(struct conf_call *x, struct conf_member *m);
	void (*waits)(struct conf_call *x);
	int args; /* of room and waits: so many words at least, else the usage */
	bool needs_no_room;
};
ON_CTL void conf_usage(struct conf_call *x);
/* The member that a word names ("last" or an id); NULL after saying that there is none. */
ON_CTL struct conf_member *conf_call_member(struct conf_call *x, const char *word);

#define ROOM_COMMAND(fn) ON_CTL void fn(struct conf_call *x);
#define MEMBER_COMMAND(fn) ON_CTL void fn(struct conf_call *x, struct conf_member *m);
#define WAIT_COMMAND(fn) CO void fn(struct conf_call *x);
/* command_room.c */
ROOM_COMMAND(cmd_count)
ROOM_COMMAND(cmd_list)
ROOM_COMMAND(cmd_xml_list)
ROOM_COMMAND(cmd_json_list)
ROOM_COMMAND(cmd_lock)
ROOM_COMMAND(cmd_unlock)
ROOM_COMMAND(cmd_pin)
ROOM_COMMAND(cmd_nopin)
ROOM_COMMAND(cmd_get)
ROOM_COMMAND(cmd_set)
ROOM_COMMAND(cmd_getvar)
ROOM_COMMAND(cmd_setvar)
ROOM_COMMAND(cmd_enter_sound)
ROOM_COMMAND(cmd_exit_sound)
ROOM_COMMAND(cmd_relate)
ROOM_COMMAND(cmd_auto_3d)
ROOM_COMMAND(cmd_floor)
ROOM_COMMAND(cmd_get_uuid)
ROOM_COMMAND(cmd_position)
ROOM_COMMAND(cmd_cdr)
/* command_member.c */
MEMBER_COMMAND(cmd_energy)
MEMBER_COMMAND(cmd_auto_energy)
MEMBER_COMMAND(cmd_max_energy)
MEMBER_COMMAND(cmd_agc)
MEMBER_COMMAND(cmd_volume_in)
MEMBER_COMMAND(cmd_volume_out)
MEMBER_COMMAND(cmd_mute)
MEMBER_COMMAND(cmd_unmute)
MEMBER_COMMAND(cmd_tmute)
MEMBER_COMMAND(cmd_deaf)
MEMBER_COMMAND(cmd_undeaf)
MEMBER_COMMAND(cmd_hold)
MEMBER_COMMAND(cmd_unhold)
MEMBER_COMMAND(cmd_kick)
MEMBER_COMMAND(cmd_hup)
MEMBER_COMMAND(cmd_dtmf)
/* command_sound.c */
WAIT_COMMAND(cmd_play)
ROOM_COMMAND(cmd_moh)
ROOM_COMMAND(cmd_pause_play)
ROOM_COMMAND(cmd_play_status)
ROOM_COMMAND(cmd_file_seek)
ROOM_COMMAND(cmd_file_vol)
ROOM_COMMAND(cmd_say)
ROOM_COMMAND(cmd_saymember)
ROOM_COMMAND(cmd_stop)
ROOM_COMMAND(cmd_record)
ROOM_COMMAND(cmd_chkrecord)
ROOM_COMMAND(cmd_norecord)
ROOM_COMMAND(cmd_pause_record)
ROOM_COMMAND(cmd_resume_record)
ROOM_COMMAND(cmd_recording)
/* command_dial.c */
WAIT_COMMAND(cmd_dial)
ROOM_COMMAND(cmd_bgdial)
ROOM_COMMAND(cmd_transfer)
/* command_video.c */
ROOM_COMMAND(cmd_video)
MEMBER_COMMAND(cmd_video_member)
