import { effect, signal } from "@preact/signals";

const KEY = "perdure.theme";
const THEMES = ["auto", "light", "dark"] as const;

export type Theme = (typeof THEMES)[number];

/** The colours: the system's, or those that the user has chosen in this browser. */
export const theme = signal<Theme>(THEMES.find((one) => one === localStorage.getItem(KEY)) ?? "auto");

effect(() => {
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "auto";
  localStorage.setItem(KEY, theme.value);
}
