/* What mod_xml_cdr, mod_json_cdr and mod_format_cdr have in common: a record as a file, as a POST to one of several web
 * servers, or as both; and their parameters. */
#pragma once
#include "cdr/cdr_i.h"
#include "cdr/target.h"

struct xml_node;
enum cdr_encode { CDR_ENCODE_FORM, CDR_ENCODE_BASE64, CDR_ENCODE_NONE, CDR_ENCODE_TEXT };
enum { CDR_URLS_MAX = 20, CDR_POSTS_MAX = 16 };
struct cdr_post {
	const char *module, *extension, *agent; /* "xml_cdr", "xml", "freeswitch-xml/1.0": constants */
	bool is_json;
	enum cdr_encode encode;
	bool encodes_values; /* of variables */
	char *urls[CDR_URLS_MAX];
	size_t url_count, url_at;
	char *user, *password, *log_dir, *err_log_dir, *ca_file, *cert_file, *key_file, *key_password, *cookie_file;
	unsigned auth;
	int64_t retries, delay_s, timeout_s; /* retries -1: until it is taken */
	bool has_log_dir, logs_b_leg, prefixes_a_leg, logs_both, logs_errors, checks_ca, checks_host;
	struct cdr_target *target;
	struct cdr_target_ops ops;
	struct cdr_sending *sendings;
	size_t usual_bytes; /* of a record: so much room one gets at once */
};
/* The parameters' defaults; module ... agent are to be set by then. */
ON_CTL void cdr_post_init(struct cdr_post *p);
ON_CTL void cdr_post_setting(struct cdr_post *p, const struct xml_node *param);
/* After the settings. name: the target's. */
ON_CTL int cdr_post_open(struct cdr_post *p, const char *name);
ON_CTL void cdr_post_close(struct cdr_post *p);
/* Files and sends it; text's memory is taken. */
ON_CTL void cdr_post_record(struct cdr_post *p, struct leg *leg, struct buf *text);

/* xml.c, json.c: the record of a leg. */
ON_CTL void cdr_xml_put(struct leg *leg, struct buf *out, bool encodes_values);
ON_CTL void cdr_json_put(struct leg *leg, struct buf *out, bool encodes_values);
struct leg_profile;
/* The fields of a caller profile as records have them, in order. */
ON_CTL void cdr_profile_each(
    const struct leg_profile *p, void (*fn)(const char *name, const char *value, void *arg), void *arg);

/* The rows of the parameters for a module's table. */
#define CDR_POST_CONFS(file, dir) \
	{file, "url", "text", "", "", "where records are posted; several are tried in turn"}, \
	    {file, "cred", "user:password", "", "", "for the web server"}, \
	    {file, "auth-scheme", "basic|digest|NTLM|any", "", "basic", "how it is told"}, \
	    {file, "retries", "number", "", "0", "tries behind the first; -1: until it is taken"}, \
	    {file, "delay", "number", "s", "5", "between two tries"}, \
	    {file, "timeout", "number", "s", "10", "of a request"}, \
	    {file, "log-dir", "path", "", dir " below the log directory", "where the files go"}, \
	    {file, "err-log-dir", "path", "", "log-dir", "files of records that no server took"}, \
	    {file, "log-http-and-disk", "bool", "", "false", "with a url, files too"}, \
	    {file, "log-errors-to-disk", "bool", "", "true", "false: what no server took is gone"}, \
	    {file, "log-b-leg", "bool", "", "true", "the called leg has a record too"}, \
	    {file, "prefix-a-leg", "bool", "", "false", "a_ in front of the calling leg's name"}, \
	    {file, "encode", "true|false|base64|textxml", "", "true", \
	        "form of the POST: cdr=url-encoded, plain, base64; the bare text"}, \
	    {file, "encode-values", "bool", "", "true", "variables url-encoded (JSON)"}, \
	    {file, "enable-cacert-check", "bool", "", "false", "the server's certificate has to be a known one's"}, \
	    {file, "enable-ssl-verifyhost", "bool", "", "false", "... and has to have its name"}, \
	    {file, "ssl-cacert-file", "path", "", "", "whose signatures count"}, \
	    {file, "ssl-cert-path", "path", "", "", "our certificate"}, \
	    {file, "ssl-key-path", "path", "", "", "its key"}, \
	    {file, "ssl-key-password", "text", "", "", "of the key"}, \
	{ \
		file, "cookie-file", "path", "", "", "cookies are kept there" \
	}
