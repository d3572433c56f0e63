/* Words for prompts that nobody recorded: most stock names tell them ("ivr-please_try_again"), the others are listed.
 */
#include "base/status.h"
#include "say/prompt_i.h"
#include <stdio.h>
#include <string.h>

struct words {
	const char *name, *text;
};
/* clang-format off */
static const struct words english[] = {
    {"digits/dot", "dot"},
    {"digits/point", "point"},
    {"digits/pound", "pound"},
    {"digits/star", "star"},
    {"digits/period", "period"},
    {"digits/ordinal", "number"},
    {"time/a-m", "A M"},
    {"time/p-m", "P M"},
    {"time/oclock", "o'clock"},
    {"time/oh", "oh"},
    {"time/2s", "two"},
    {"time/am", "in the morning"},
    {"time/pm", "in the afternoon"},
    {"time/morning", "early in the morning"},
    {"time/evening", "in the evening"},
    {"currency/cents-per-minute", "cents per minute"},
    {"currency/central", "cents"},
    {"currency/jiao", "jow"},
    {"currency/fen", "fun"},
    {"currency/li", "lee"},
    {"currency/yuan", "yew ann"},
    {"voicemail/vm-abort", "The recording was not saved."},
    {"voicemail/vm-advanced", "For advanced options"},
    {"voicemail/vm-advanced_alt", "For advanced options"},
    {"voicemail/vm-change_password", "To change your password"},
    {"voicemail/vm-choose_greeting", "To choose a greeting"},
    {"voicemail/vm-choose_greeting_choose", "Choose a greeting between 1 and 9."},
    {"voicemail/vm-choose_greeting_fail", "That greeting does not exist."},
    {"voicemail/vm-choose_password", "Please choose a password."},
    {"voicemail/vm-continue", "To continue"},
    {"voicemail/vm-delete_greeting", "To delete the greeting"},
    {"voicemail/vm-delete_message", "To delete this message"},
    {"voicemail/vm-delete_recording", "To delete the recording"},
    {"voicemail/vm-emailed", "sent by e-mail"},
    {"voicemail/vm-enter_id", "Please enter your I D, followed by"},
    {"voicemail/vm-enter_pass", "Please enter your password, followed by"},
    {"voicemail/vm-enter_new_pin", "Please enter your new pin."},
    {"voicemail/vm-fail_auth", "Login incorrect."},
    {"voicemail/vm-followed_by", "followed by"},
    {"voicemail/vm-followed_by_pound", "followed by pound"},
    {"voicemail/vm-forward_add_intro", "To record an introduction"},
    {"voicemail/vm-forward_enter_ext", "Please enter the extension to forward this message to, followed by"},
    {"voicemail/vm-forward_to_email", "To send this message to your e-mail"},
    {"voicemail/vm-greeting", "greeting"},
    {"voicemail/vm-has_been_changed_to", "has been changed to"},
    {"voicemail/vm-hello", "Hello."},
    {"voicemail/vm-in_folder", "in folder"},
    {"voicemail/vm-listen_new", "To listen to new messages"},
    {"voicemail/vm-listen_saved", "To listen to saved messages"},
    {"voicemail/vm-listen_to_greeting", "To listen to your greeting"},
    {"voicemail/vm-listen_to_recording", "To listen to the recording"},
    {"voicemail/vm-listen_to_recording_again", "To listen to the recording again"},
    {"voicemail/vm-mailbox_full", "The mailbox is full."},
    {"voicemail/vm-main_menu", "For the main menu"},
    {"voicemail/vm-main_menu_alt", "To return to the main menu"},
    {"voicemail/vm-mark-urgent", "To mark this message urgent"},
    {"voicemail/vm-mark_message_new", "To mark this message new"},
    {"voicemail/vm-marked-urgent", "marked urgent"},
    {"voicemail/vm-marked_new", "marked new"},
    {"voicemail/vm-message_envelope", "To hear the date and the caller of this message"},
    {"voicemail/vm-message_from", "Message from"},
    {"voicemail/vm-message_number", "Message number"},
    {"voicemail/vm-minimum_pin_length_is", "The minimum length of a pin is"},
    {"voicemail/vm-no_answer_no_vm", "There is no answer, and no voicemail."},
    {"voicemail/vm-no_more_messages", "There are no more messages."},
    {"voicemail/vm-nobody_leaving_message", "Nobody is available. Please leave a message."},
    {"voicemail/vm-not_available", "is not available."},
    {"voicemail/vm-not_available_no_voicemail", "is not available, and has no voicemail."},
    {"voicemail/vm-password_is_not_secure", "That password is not secure."},
    {"voicemail/vm-password_not_valid", "That password is not valid."},
    {"voicemail/vm-person", "The person at extension"},
    {"voicemail/vm-pin_below_minimum_length", "That pin is too short."},
    {"voicemail/vm-play_greeting", "Please leave a message after the tone."},
    {"voicemail/vm-play_next_message", "To play the next message"},
    {"voicemail/vm-play_previous_message", "To play the previous message"},
    {"voicemail/vm-record_greeting", "Record your greeting at the tone. Press any key or stop talking to end it."},
    {"voicemail/vm-record_message", "Record your message at the tone. Press any key or stop talking to end it."},
    {"voicemail/vm-record_name1", "Record your name at the tone. Press any key or stop talking to end it."},
    {"voicemail/vm-record_name2", "To record your name"},
    {"voicemail/vm-repeat_message", "To repeat this message"},
    {"voicemail/vm-rerecord", "To record it again"},
    {"voicemail/vm-return_call", "To call back"},
    {"voicemail/vm-save_message", "To save this message"},
    {"voicemail/vm-save_recording", "To save the recording"},
    {"voicemail/vm-selected", "was selected."},
    {"voicemail/vm-send_message_now", "To send this message now"},
    {"voicemail/vm-that_was_an_invalid_ext", "That was an invalid extension."},
    {"voicemail/vm-to_exit", "To exit"},
    {"voicemail/vm-to_exit_alt", "To exit"},
    {"voicemail/vm-to_forward", "To forward this message"},
    {"voicemail/vm-to_record_greeting", "To record a greeting"},
    {"voicemail/vm-too-small", "Your recording is too short."},
    {"voicemail/vm-tutorial_change_pin", "Please change your pin."},
    {"voicemail/vm-tutorial_record_name", "Please record your name."},
    {"voicemail/vm-tutorial_yes_no", "To hear an introduction, press 1. To skip it, press 2."},
    {"voicemail/vm-undelete_message", "To restore this message"},
    {"voicemail/vm-urgent-new", "new urgent"},
    {"voicemail/vm-urgent-saved", "saved urgent"},
    {"voicemail/vm-voicemail_password_is_web_password", "Your voicemail password is your web password."},
    {"voicemail/vm-you_have", "You have"},
    {"conference/conf-ack", "Yes."},
    {"conference/conf-nack", "No."},
    {"conference/conf-alone", "You are the only person in this conference."},
    {"conference/conf-bad-pin", "That pin is not correct."},
    {"conference/conf-being_recorded", "This conference is being recorded."},
    {"conference/conf-conference_is_full", "The conference is full."},
    {"conference/conf-conference_is_in_qna_mode", "The conference is in question and answer mode."},
    {"conference/conf-conference_will_start_shortly", "The conference will start shortly."},
    {"conference/conf-enter_conf_number", "Please enter the conference number, followed by pound."},
    {"conference/conf-enter_conf_pin", "Please enter the conference pin, followed by pound."},
    {"conference/conf-goodbye", "Goodbye."},
    {"conference/conf-has_joined", "has joined the conference."},
    {"conference/conf-has_left", "has left the conference."},
    {"conference/conf-is-locked", "The conference is now locked."},
    {"conference/conf-is-unlocked", "The conference is now unlocked."},
    {"conference/conf-kicked", "You have been removed from this conference."},
    {"conference/conf-listener_in_conference", "listener in this conference."},
    {"conference/conf-listeners_in_conference", "listeners in this conference."},
    {"conference/conf-locked", "This conference is locked."},
    {"conference/conf-members_in_conference", "members in this conference."},
    {"conference/conf-muted", "You are now muted."},
    {"conference/conf-no_longer_being_recorded", "This conference is no longer being recorded."},
    {"conference/conf-number_of_listeners", "Number of listeners"},
    {"conference/conf-one_other_member_conference", "There is one other member in this conference."},
    {"conference/conf-one_other_person_conference", "There is one other person in this conference."},
    {"conference/conf-other_persons_conference", "other people in this conference."},
    {"conference/conf-perpetual", "This conference is perpetual."},
    {"conference/conf-pin", "Please enter the pin of this conference."},
    {"conference/conf-qna_mode", "Question and answer mode."},
    {"conference/conf-unmuted", "You are now unmuted."},
    {"conference/conf-welcome", "Welcome to the conference."},
    {"conference/conf-you_are_already_muted", "You are already muted."},
    {"conference/conf-you_are_now_bidirectionally_muted", "You are now muted in both directions."},
    {"directory/dir-enter_person", "Please enter the first letters of the person's"},
    {"directory/dir-enter_person_first_or_last", "Please enter the first letters of the person's first or last name."},
    {"directory/dir-for_next", "For the next entry"},
    {"directory/dir-for_prev", "For the previous entry"},
    {"directory/dir-letters_of_person_name", "letters of the person's name."},
    {"directory/dir-no_match_entry", "No entry matches."},
    {"directory/dir-result_match", "results match."},
    {"directory/dir-specify_mininum", "Please give at least"},
    {"directory/dir-specify_mininum_first", "Please give at least the first"},
    {"directory/dir-to_make_new_search", "To make a new search"},
    {"directory/dir-to_many_result", "There are too many results."},
    {"directory/dir-too_many_result", "There are too many results."},
    {"directory/dir-to_search_by", "To search by"},
    {"ivr/ivr-accept_reject", "To accept this call, press 1. To reject it, press 2."},
    {"ivr/ivr-accept_reject_voicemail", "To accept this call, press 1. To reject it, press 2. To send it to voicemail, press 3."},
    {"ivr/ivr-beacuase", "Because."},
    {"ivr/ivr-call_answered_order_received", "Your call will be answered in the order it was received."},
    {"ivr/ivr-dnd_activated", "Do not disturb is activated."},
    {"ivr/ivr-dnd_cancelled", "Do not disturb is cancelled."},
    {"ivr/ivr-douche_telecom", "Thank you for calling your telephone company."},
    {"ivr/ivr-enter_ext", "Please enter the extension."},
    {"ivr/ivr-enter_ext_pound", "Please enter the extension, followed by pound."},
    {"ivr/ivr-estimated_hold_time", "The estimated hold time is"},
    {"ivr/ivr-finished_pound_hash_key", "When you are finished, press the pound or hash key."},
    {"ivr/ivr-generic_greeting", "Thank you for calling. If you know your party's extension, you may dial it at any time."},
    {"ivr/ivr-hold_connect_call", "Please hold while your call is connected."},
    {"ivr/ivr-id_number", "I D number"},
    {"ivr/ivr-im_sorry", "I'm sorry."},
    {"ivr/ivr-invalid_sound_prompt", "That sound prompt is invalid."},
    {"ivr/ivr-it_was_that_bug", "It was that bug."},
    {"ivr/ivr-pin_or_extension_is-invalid", "That pin or extension is invalid."},
    {"ivr/ivr-please_enter_extension_followed_by_pound", "Please enter the extension, followed by pound."},
    {"ivr/ivr-please_enter_pin_followed_by_pound", "Please enter your pin, followed by pound."},
    {"ivr/ivr-press_one_q_or_z", "For Q or Z, press 1."},
    {"ivr/ivr-sample_submenu", "This is a sample sub menu."},
    {"ivr/ivr-save_review_record", "To save the recording, press 1. To listen to it, press 2. To record again, press 3."},
    {"ivr/ivr-thank_you_for_holding", "Thank you for holding."},
    {"ivr/ivr-that_was_an_invalid_entry", "That was an invalid entry."},
    {"ivr/ivr-this_ivr_will_let_you_test_features", "This menu lets you try some of the features."},
    {"ivr/ivr-to_call_the_freeswitch_conference", "To call the public conference"},
    {"ivr/ivr-to_do_a_freeswitch_echo_test", "To do an echo test"},
    {"ivr/ivr-to_do_a_fwd_echo_test", "To do an echo test"},
    {"ivr/ivr-to_do_a_echo_test", "To do an echo test"},
    {"ivr/ivr-to_hear_sample_submenu", "To hear a sample sub menu"},
    {"ivr/ivr-to_hear_screaming_monkeys", "To hear screaming monkeys"},
    {"ivr/ivr-to_listen_to_moh", "To listen to music on hold"},
    {"ivr/ivr-to_register_for_cluecon", "To register for the conference"},
    {"ivr/ivr-wakey_wakey_sunshine", "Wakey wakey, sunshine!"},
    {"ivr/ivr-welcome_to_freeswitch", "Welcome. You have reached your telephone system."},
    {"ivr/ivr-were_asterisk_free", "We are asterisk free."},
    {"ivr/ivr-you_have_dialed_an_invalid_extension", "You have dialed an invalid extension."},
    {"ivr/ivr-youre_doing_it_wrong", "You're doing it wrong."},
    {"ivr/ivr-yuno_silent_drill", "Why don't you silence your drill?"},
    {"misc/call_monitoring_blurb", "This call may be monitored or recorded."},
    {"misc/error", "An error has occurred."},
    {"misc/phone_not_auth", "This phone is not authorized."},
    {"zrtp/zrtp-status_securing", "Securing the call."},
    {"zrtp/zrtp-status_secure", "The call is secure."},
};

static const struct words chinese[] = {
    {"digits/10000", "万"},
    {"digits/100000000", "亿"},
    {"digits/1000", "千"},
    {"digits/100", "百"},
    {"digits/10", "十"},
    {"digits/ordinal", "第"},
    {"digits/dot", "点"},
    {"digits/period", "点"},
    {"digits/point", "点"},
    {"digits/pound", "井号"},
    {"digits/star", "星号"},
    {"digits/hundred", "百"},
    {"digits/thousand", "千"},
    {"digits/million", "百万"},
    {"currency/negative", "负"},
    {"currency/minus", "负"},
    {"currency/dollar", "美元"},
    {"currency/dollars", "美元"},
    {"currency/cent", "美分"},
    {"currency/cents", "美分"},
    {"currency/yuan", "元"},
    {"currency/jiao", "角"},
    {"currency/fen", "分"},
    {"currency/li", "厘"},
    {"currency/and", "零"},
    {"time/2s", "两"},
    {"time/year", "年"},
    {"time/month", "月"},
    {"time/day", "日"},
    {"time/day-0", "星期日"},
    {"time/day-1", "星期一"},
    {"time/day-2", "星期二"},
    {"time/day-3", "星期三"},
    {"time/day-4", "星期四"},
    {"time/day-5", "星期五"},
    {"time/day-6", "星期六"},
    {"time/hour", "点"},
    {"time/hours", "小时"},
    {"time/minute", "分"},
    {"time/minutes", "分钟"},
    {"time/second", "秒"},
    {"time/seconds", "秒"},
    {"time/morning", "凌晨"},
    {"time/am", "上午"},
    {"time/pm", "下午"},
    {"time/evening", "晚上"},
    {"time/a-m", "上午"},
    {"time/p-m", "下午"},
    {"time/at", "在"},
    {"time/oclock", "点整"},
    {"time/oh", "零"},
    {"time/today", "今天"},
    {"time/tomorrow", "明天"},
    {"time/yesterday", "昨天"},
    {"ascii/32", "空格"},
    {"ascii/33", "感叹号"},
    {"ascii/35", "井号"},
    {"ascii/42", "星号"},
    {"ascii/43", "加号"},
    {"ascii/44", "逗号"},
    {"ascii/45", "横线"},
    {"ascii/46", "点"},
    {"ascii/47", "斜线"},
    {"ascii/58", "冒号"},
    {"ascii/64", "艾特"},
    {"ascii/95", "下划线"},
    {"voicemail/vm-you_have", "您有"},
    {"voicemail/vm-new", "新的"},
    {"voicemail/vm-saved", "已保存的"},
    {"voicemail/vm-urgent-new", "新的紧急"},
    {"voicemail/vm-urgent-saved", "已保存的紧急"},
    {"voicemail/vm-message", "留言"},
    {"voicemail/vm-messages", "留言"},
    {"voicemail/vm-no_more_messages", "没有更多留言"},
    {"voicemail/vm-message_number", "第"},
    {"voicemail/vm-press", "请按"},
    {"voicemail/vm-enter_id", "请输入您的号码，然后按"},
    {"voicemail/vm-enter_pass", "请输入您的密码，然后按"},
    {"voicemail/vm-fail_auth", "密码错误"},
    {"voicemail/vm-goodbye", "再见"},
    {"voicemail/vm-hello", "您好"},
    {"voicemail/vm-listen_new", "收听新留言"},
    {"voicemail/vm-listen_saved", "收听已保存的留言"},
    {"voicemail/vm-advanced", "高级选项"},
    {"voicemail/vm-to_exit", "退出"},
    {"voicemail/vm-main_menu", "返回主菜单"},
    {"voicemail/vm-repeat_message", "重听留言"},
    {"voicemail/vm-delete_message", "删除留言"},
    {"voicemail/vm-save_message", "保存留言"},
    {"voicemail/vm-play_next_message", "下一条留言"},
    {"voicemail/vm-play_previous_message", "上一条留言"},
    {"voicemail/vm-return_call", "回拨"},
    {"voicemail/vm-to_forward", "转发留言"},
    {"voicemail/vm-forward_to_email", "发送到电子邮箱"},
    {"voicemail/vm-deleted", "已删除"},
    {"voicemail/vm-undeleted", "已恢复"},
    {"voicemail/vm-received", "收到于"},
    {"voicemail/vm-from", "来自"},
    {"voicemail/vm-next", "下一条"},
    {"voicemail/vm-last", "最后一条"},
    {"voicemail/vm-person", "分机"},
    {"voicemail/vm-not_available", "无人接听"},
    {"voicemail/vm-record_message", "请在提示音后留言，按任意键结束"},
    {"voicemail/vm-record_greeting", "请在提示音后录制问候语，按任意键结束"},
    {"voicemail/vm-record_name1", "请在提示音后说出您的姓名，按任意键结束"},
    {"voicemail/vm-record_name2", "录制您的姓名"},
    {"voicemail/vm-to_record_greeting", "录制问候语"},
    {"voicemail/vm-choose_greeting", "选择问候语"},
    {"voicemail/vm-change_password", "修改密码"},
    {"voicemail/vm-enter_new_pin", "请输入新密码"},
    {"voicemail/vm-password_has_been_changed", "密码已修改"},
    {"voicemail/vm-password_not_valid", "密码无效"},
    {"voicemail/vm-listen_to_recording", "收听录音"},
    {"voicemail/vm-save_recording", "保存录音"},
    {"voicemail/vm-rerecord", "重新录音"},
    {"voicemail/vm-too-small", "录音太短"},
    {"voicemail/vm-mailbox_full", "信箱已满"},
    {"voicemail/vm-followed_by_pound", "然后按井号"},
    {"voicemail/vm-followed_by", "然后按"},
    {"conference/conf-alone", "会议中只有您一人"},
    {"conference/conf-pin", "请输入会议密码"},
    {"conference/conf-enter_conf_pin", "请输入会议密码，然后按井号"},
    {"conference/conf-enter_conf_number", "请输入会议号码，然后按井号"},
    {"conference/conf-bad-pin", "密码错误"},
    {"conference/conf-goodbye", "再见"},
    {"conference/conf-has_joined", "加入了会议"},
    {"conference/conf-has_left", "离开了会议"},
    {"conference/conf-is-locked", "会议已锁定"},
    {"conference/conf-is-unlocked", "会议已解锁"},
    {"conference/conf-locked", "会议已锁定"},
    {"conference/conf-kicked", "您已被移出会议"},
    {"conference/conf-muted", "您已静音"},
    {"conference/conf-unmuted", "静音已取消"},
    {"conference/conf-welcome", "欢迎参加会议"},
    {"conference/conf-members_in_conference", "人在会议中"},
    {"conference/conf-conference_is_full", "会议人数已满"},
    {"ivr/ivr-welcome", "欢迎"},
    {"ivr/ivr-welcome_to_freeswitch", "欢迎致电"},
    {"ivr/ivr-please", "请"},
    {"ivr/ivr-thank_you", "谢谢"},
    {"ivr/ivr-thank_you_for_calling", "感谢您的来电"},
    {"ivr/ivr-thank_you_for_holding", "感谢您的等候"},
    {"ivr/ivr-one_moment_please", "请稍候"},
    {"ivr/ivr-please_try_again", "请重试"},
    {"ivr/ivr-that_was_an_invalid_entry", "输入有误"},
    {"ivr/ivr-you_have_dialed_an_invalid_extension", "您拨打的分机不存在"},
    {"ivr/ivr-you_are_number", "您排在第"},
    {"ivr/ivr-in_line", "位"},
    {"ivr/ivr-there_are", "共有"},
    {"ivr/ivr-call_from", "来电者"},
    {"ivr/ivr-to_accept_press_one", "接听请按一"},
    {"ivr/ivr-to_reject", "拒接"},
    {"ivr/ivr-hang_up", "请挂机"},
    {"ivr/ivr-number", "号码"},
    {"ivr/ivr-extension_number", "分机号码"},
    {"ivr/ivr-you_entered", "您输入的是"},
    {"ivr/ivr-hold_connect_call", "正在为您接通，请稍候"},
    {"ivr/ivr-call_being_transferred", "正在转接"},
    {"ivr/ivr-user_busy", "用户忙"},
    {"ivr/ivr-no_user_response", "无人应答"},
    {"ivr/ivr-unallocated_number", "您拨打的号码是空号"},
    {"ivr/ivr-im_sorry", "对不起"},
    {"misc/sorry", "对不起"},
    {"misc/error", "系统出错"},
    {"misc/invalid_extension", "分机不存在"},
};

static const struct {
	unsigned char code;
	const char *text;
} signs[] = {
    {32, "space"},
    {33, "exclamation point"},
    {34, "quote"},
    {35, "pound"},
    {36, "dollar"},
    {37, "percent"},
    {38, "ampersand"},
    {39, "apostrophe"},
    {40, "open parenthesis"},
    {41, "close parenthesis"},
    {42, "star"},
    {43, "plus"},
    {44, "comma"},
    {45, "dash"},
    {46, "dot"},
    {47, "slash"},
    {58, "colon"},
    {59, "semicolon"},
    {60, "less than"},
    {61, "equals"},
    {62, "greater than"},
    {63, "question mark"},
    {64, "at"},
    {91, "open bracket"},
    {92, "backslash"},
    {93, "close bracket"},
    {94, "caret"},
    {95, "underscore"},
    {96, "backquote"},
    {123, "open brace"},
    {124, "vertical bar"},
    {125, "close brace"},
    {126, "tilde"},
};
/* clang-format on */

static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December"};
static const char *const letters[] = {"alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india",
    "juliet", "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform",
    "victor", "whiskey", "x-ray", "yankee", "zulu"};

static const char *listed(const struct words *table, size_t count, const struct prompt_name *name)
{
	char full[130];

	snprintf(full, sizeof(full), "%.*s/%.*s", SVF(name->dir), SVF(name->base));
	for (size_t i = 0; i < count; i++)
		if (!strcmp(table[i].name, full))
			return table[i].text;
	return NULL;
}

static bool add_character(uint32_t c, bool is_phonetic, struct buf *out)
{
	if (c >= 'a' && c <= 'z') {
		if (is_phonetic)
			return buf_adds(out, letters[c - 'a']) == ST_OK;
		return buf_printf(out, "%c.", (char)(c - 32)) == ST_OK;
	}
	if (c >= '0' && c <= '9')
		return buf_addc(out, (char)c) == ST_OK;
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (signs[i].code == c)
			return buf_adds(out, signs[i].text) == ST_OK;
	return false;
}

/* "day-3", "mon-0" */
static bool add_of_calendar(struct sv base, struct buf *out)
{
	uint32_t n;

	if (base.n < 5 || sv_u32(sv_sub(base, 4, base.n), &n))
		return false;
	if (sv_starts(base, SV("day-")) && n < 7)
		return buf_adds(out, days[n]) == ST_OK;
	return sv_starts(base, SV("mon-")) && n < 12 && buf_adds(out, months[n]) == ST_OK;
}

/* "h-21": the 21st */
static bool add_ordinal(struct sv base, struct buf *out)
{
	uint32_t n, last;
	const char *end = "th";

	if (!sv_starts(base, SV("h-")) || sv_u32(sv_sub(base, 2, base.n), &n))
		return false;
	last = n / 10 % 10 == 1 ? 0 : n % 10;
	if (last >= 1 && last <= 3)
		end = last == 1 ? "st" : last == 2 ? "nd" : "rd";
	return buf_printf(out, "%u%s", (unsigned)n, end) == ST_OK;
}

bool prompt_words_en(const struct prompt_name *name, struct buf *out)
{
	const char *text = listed(english, sizeof(english) / sizeof(english[0]), name);
	static const char *const prefixes[] = {"ivr-", "vm-", "conf-", "dir-", "misc-", "zrtp-"};
	struct sv base = name->base;
	uint32_t c;

	if (text)
		return buf_adds(out, text) == ST_OK;
	if (sv_is(name->dir, "ascii") || sv_is(name->dir, "phonetic-ascii"))
		return !sv_u32(base, &c) && add_character(c, name->dir.n > 5, out);
	if (sv_is(name->dir, "time") && add_of_calendar(base, out))
		return true;
	if (sv_is(name->dir, "digits") && add_ordinal(base, out))
		return true;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (sv_starts(base, sv_of(prefixes[i])))
			base = sv_sub(base, strlen(prefixes[i]), base.n);
	for (size_t i = 0; i < base.n; i++)
		buf_addc(out, base.p[i] == '_' || base.p[i] == '-' ? ' ' : base.p[i]);
	return base.n > 0;
}

bool prompt_words_zh(const struct prompt_name *name, struct buf *out)
{
	static const char *const ones[] = {"零", "一", "二", "三", "四", "五", "六", "七", "八", "九"};
	const char *text = listed(chinese, sizeof(chinese) / sizeof(chinese[0]), name);
	uint32_t n;

	if (text)
		return buf_adds(out, text) == ST_OK;
	if (sv_u32(name->base, &n))
		return false;
	if (sv_is(name->dir, "digits") && n < 10)
		return buf_adds(out, ones[n]) == ST_OK;
	if (sv_is(name->dir, "digits"))
		return buf_printf(out, "%u", (unsigned)n) == ST_OK;
	return sv_is(name->dir, "ascii") && n >= 'a' && n <= 'z' && buf_printf(out, "%c", (char)n) == ST_OK;
}
