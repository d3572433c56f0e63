// #/name?query: which page is shown, and of what.
import { ref } from 'vue';

const read = () => location.hash.replace(/^#\//, '').split('?')[0] || 'calls';
const ask = () => decodeURIComponent(location.hash.split('?')[1] || '');
export const route = ref(read()), query = ref(ask());
window.addEventListener('hashchange', () => { route.value = read(); query.value = ask(); });
