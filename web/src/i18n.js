// The two languages. What is kept of a choice is in the browser only.
import { createI18n } from 'vue-i18n';
import en from './en.js';
import zh from './zh.js';

export function stored(name, fallback) {
  try {
    return localStorage.getItem(`tandem.${name}`) || fallback;
  } catch {
    return fallback; // storage is forbidden
  }
}

export function store(name, value) {
  try {
    localStorage.setItem(`tandem.${name}`, value);
  } catch { /* then it is for this page only */ }
}

const guess = (navigator.language || 'en').startsWith('zh') ? 'zh' : 'en';
export const i18n = createI18n({ legacy: false, locale: stored('language', guess), fallbackLocale: 'en', messages: { en, zh } });
document.documentElement.lang = i18n.global.locale.value;

export function languageSet(language) {
  i18n.global.locale.value = language;
  document.documentElement.lang = language;
  store('language', language);
}
