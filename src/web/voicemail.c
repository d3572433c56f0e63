/* Mailboxes over HTTP, for portals: what lies in a box, a message's sound, its removal. The commands vm_list and
 * vm_delete do it (this room knows no mailbox), so it is for the role admin, as they are. A sound is the file that the
 * box's list names, read by a worker; nothing that the client says is part of a path. */
#include "base/mem.h"
#include "base/slurp.h"
#include "loop/work.h"
#include "text/xml.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SOUND_MAX_BYTES = 32 << 20, UUID_MAX = 64 };

/* user@domain[/profile] as one word of a command. */
static ON_CTL bool box_check(struct web_call *c)
{
	bool is_good = strchr(c->param, '@') != NULL;
	for (const char *p = c->param; *p; p++) /* of a command's line nothing more than a word */
		is_good &= (unsigned char)*p > ' ' && !strchr("/'\"\\|", *p) && *p != 127;
	if (!is_good)
		web_problem(c->x, 400, "a box is user@domain");
	return is_good;
}

static ON_CTL bool uuid_check(struct web_call *c, char out[UUID_MAX])
{
	struct buf uuid;
	buf_init(&uuid);
	bool is_good = !http_query_get(c->q, "uuid", &uuid) && uuid.n && uuid.n < UUID_MAX &&
	               strspn(uuid.p, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") == uuid.n;
	if (is_good)
		snprintf(out, UUID_MAX, "%s", uuid.p);
	else
		web_problem(c->x, 400, "uuid: which message, as the list of the box says");
	buf_fini(&uuid);
	return is_good;
}

static ON_CTL void run(struct web_call *c, const char *command, const char *more, web_done_fn done, void *arg)
{
	char args[WEB_PARAM_CHARS + UUID_MAX + 8];
	snprintf(args, sizeof(args), "%s %s", c->param, more);
	web_command_run(c->x, NULL, command, args, done, arg);
}

/* The list, or NULL after the problem has been told. */
static ON_CTL struct xml_doc *list_read(struct http_exchange *x, int status, struct sv reply)
{
	struct xml_doc *doc = NULL;
	if (status == ST_NOTFOUND)
		web_problem(x, 503, "mod_voicemail is not loaded");
	else if (!reply.n || xml_parse(&doc, reply.p, reply.n, "vm_list", NULL, 0, NULL))
		web_problem(x, 404, "there is no such box");
	return doc;
}

static void list_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct json_writer w;
	struct buf b;
	struct xml_doc *doc;
	int64_t count = 0;
	role_assert_ctl();
	if (!http_exchange_is_open(x) || !(doc = list_read(x, status, reply)))
		return;
	buf_init(&b);
	jw_init(&w, &b, false);
	xml_each(xml_root(doc), "message", counted) count++;
	jw_begin_object(&w);
	jw_kv_int(&w, "row_count", count);
	jw_key(&w, "rows");
	jw_begin_array(&w);
	xml_each(xml_root(doc), "message", m)
	{
		jw_begin_object(&w);
		for (const struct xml_node *cell = m->child; cell; cell = cell->next)
			jw_kv_str(&w, cell->name, cell->text);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	mem_unref(doc);
	web_reply_json(x, 200, &b);
}

void web_voicemail(struct web_call *c)
{
	if (box_check(c))
		run(c, "vm_list", "xml", list_done, NULL);
}

/* ---- one message ---- */

struct sound {
	struct http_exchange *x; /* a reference */
	char uuid[UUID_MAX];
	char *path;
	struct buf bytes;
	int status;
};

static ON_CTL void sound_free(struct sound *s)
{
	mem_unref(s->x);
	mem_free(s->path);
	buf_fini(&s->bytes);
	mem_free(s);
}

static void sound_read(void *arg)
{
	struct sound *s = arg;
	role_assert_work();
	s->status = slurp(s->path, SOUND_MAX_BYTES, &s->bytes, NULL);
}

static const char *type_of(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot && !strcasecmp(dot, ".wav")    ? "audio/wav"
	       : dot && !strcasecmp(dot, ".mp3")  ? "audio/mpeg"
	       : dot && !strcasecmp(dot, ".opus") ? "audio/ogg"
	       : dot && !strcasecmp(dot, ".ogg")  ? "audio/ogg"
	                                          : "application/octet-stream";
}

static void sound_done(int status, void *arg)
{
	struct sound *s = arg;
	role_assert_ctl();
	if (http_exchange_is_open(s->x) && !status && !s->status)
		http_exchange_reply(s->x, 200, type_of(s->path), buf_sv(&s->bytes));
	else if (http_exchange_is_open(s->x))
		web_problem(s->x, s->status == ST_NOTFOUND ? 404 : 500, "the message's file: %s",
		    status_text(status ? status : s->status));
	sound_free(s);
}

/* The path that the list gives for it; a message's file is called so by both programs. */
static const char *path_of(const struct xml_doc *doc, const char *uuid)
{
	xml_each(xml_root(doc), "message", m)
	{
		const struct xml_node *id = xml_child(m, "uuid"), *path = xml_child(m, "path");
		const char *slash = path && path->text ? strrchr(path->text, '/') : NULL;
		if (id && id->text && !strcmp(id->text, uuid))
			return slash && !strncmp(slash, "/msg_", 5) ? path->text : NULL;
	}
	return NULL;
}

static void found(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct sound *s = arg;
	struct xml_doc *doc = NULL;
	role_assert_ctl();
	if (http_exchange_is_open(x) && (doc = list_read(x, status, reply)))
		s->path = mem_strdup(path_of(doc, s->uuid));
	if (doc && !s->path)
		web_problem(x, 404, "there is no such message");
	mem_unref(doc);
	if (!s->path) {
		sound_free(s);
	} else if (work_submit(WORK_FILE, "voicemail sound", sound_read, sound_done, s)) {
		web_problem(x, 503, "too much is being read");
		sound_free(s);
	}
}

void web_voicemail_sound(struct web_call *c)
{
	char uuid[UUID_MAX];
	struct sound *s;
	if (!box_check(c) || !uuid_check(c, uuid))
		return;
	if (!(s = mem_zalloc(sizeof(*s)))) {
		web_problem(c->x, 503, "out of memory");
		return;
	}
	s->x = mem_ref(c->x);
	buf_init(&s->bytes);
	memcpy(s->uuid, uuid, sizeof(uuid));
	run(c, "vm_list", "xml", found, s);
}

static void deleted(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct sv error;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	if (status == ST_NOTFOUND)
		web_problem(x, 503, "mod_voicemail is not loaded");
	else if (web_reply_is_error(reply, &error))
		web_problem(x, 404, "%.*s", SVF(error));
	else
		http_exchange_reply(x, 204, NULL, SV_NONE);
}

void web_voicemail_delete(struct web_call *c)
{
	char uuid[UUID_MAX];
	if (box_check(c) && uuid_check(c, uuid))
		run(c, "vm_delete", uuid, deleted, NULL);
}
