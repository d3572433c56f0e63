// #/name: which page is shown.
import { ref } from 'vue';

const read = () => location.hash.replace(/^#\//, '').split('?')[0] || 'calls';
export const route = ref(read());
window.addEventListener('hashchange', () => { route.value = read(); });
