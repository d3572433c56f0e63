/* Presence documents (RFC 3863, RFC 4480) as FreeSWITCH writes them. Everything in them is ASCII, so that the encoding
 * which it declares is true. */
#include "endpoint/sip/presence/watch_i.h"

/* A name of an element; what came in was looked at (pidf_read.c), what an event said was not. */
static bool is_name(const char *text)
{
	if (!text || !(*text >= 'a' && *text <= 'z'))
		return false;
	for (; *text; text++)
		if (!(*text >= 'a' && *text <= 'z') && *text != '-')
			return false;
	return true;
}

void body_pidf_put(const struct presence_entity *e, const struct body_how *how, struct buf *out)
{
	struct presence_view v;
	presence_view_get(e, &v);
	bool is_call = !list_empty((struct list *)(uintptr_t)&e->dialogs);
	buf_adds(out, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?> \n"
	              "<presence xmlns='urn:ietf:params:xml:ns:pidf' \n"
	              "xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \n"
	              "xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' \n"
	              "xmlns:c='urn:ietf:params:xml:ns:pidf:cipid' entity='sip:");
	body_entity_put(e, how, out);
	buf_printf(out,
	    "'>\n <tuple id='t6a5ed77e'>\n  <status>\n   <basic>%s</basic>\n  </status>\n </tuple>\n"
	    " <dm:person id='p06360c4a'>\n",
	    v.is_open ? "open" : "closed");
	if (is_name(v.rpid))
		buf_printf(out, "  <rpid:activities>\n   <rpid:%s/>\n  </rpid:activities>\n", v.rpid);
	buf_adds(out, "  <dm:note>");
	body_escape(out, how->is_private && is_call ? SV("On The Phone") : sv_of(v.note));
	buf_adds(out, "</dm:note>\n </dm:person>\n</presence>");
}
