import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { liveState } from "./api/live.ts";
import { isAccess, logOut, openSession, session } from "./api/session.ts";
import type { Access } from "./api/types.ts";
import { AuditPage } from "./pages/audit-page.tsx";
import { DeadLettersPage } from "./pages/dead-letters-page.tsx";
import { FlowsPage } from "./pages/flows-page.tsx";
import { LoginPage } from "./pages/login-page.tsx";
import { QueuesPage } from "./pages/queues-page.tsx";
import { RunsPage } from "./pages/runs-page.tsx";
import { SchedulesPage } from "./pages/schedules-page.tsx";
import { UrlGroupsPage } from "./pages/url-groups-page.tsx";
import { WaitingPage } from "./pages/waiting-page.tsx";
import { path } from "./router.ts";
import { RunPage, runIdIn } from "./run/run-page.tsx";
import { nextTheme, theme } from "./theme.ts";
import { DialogHost } from "./ui/dialog.tsx";
import { Icon, type IconName } from "./ui/icon.tsx";
import { Link } from "./ui/link.tsx";
import { Empty, ErrorBox, Skeleton } from "./ui/states.tsx";
import { Line } from "./ui/text.tsx";

interface Place {
  readonly path: string;
  readonly name: string;
  readonly icon: IconName;
  readonly page: ComponentType;
}

const PLACES: readonly Place[] = [
  { path: "/runs", name: "Runs", icon: "list", page: RunsPage },
  { path: "/dead-letters", name: "Dead letters", icon: "inbox", page: DeadLettersPage },
  { path: "/waiting", name: "Waiting", icon: "flag", page: WaitingPage },
  { path: "/queues", name: "Queues", icon: "queue", page: QueuesPage },
  { path: "/flow-control", name: "Flow control", icon: "gauge", page: FlowsPage },
  { path: "/schedules", name: "Schedules", icon: "calendar", page: SchedulesPage },
  { path: "/url-groups", name: "URL groups", icon: "group", page: UrlGroupsPage },
  { path: "/audit", name: "Audit log", icon: "shield", page: AuditPage },
];

export function App() {
  const current = session.value;
  useEffect(() => void openSession(), []);
  if (current === "unknown") return <Skeleton rows={8} />;
  if (current === "none") return <LoginPage />;
  if (!isAccess(current)) return <ErrorBox error={current} retry={() => void openSession()} />;
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Side access={current} />
      <Page />
      <DialogHost />
    </div>
  );
}

function placeOf(current: string): Place | undefined {
  return PLACES.find(({ path }) => current === path) ?? (current === "/" ? PLACES[0] : undefined);
}

function Page() {
  const current = path.value;
  const isRun = current.startsWith("/runs/");
  const place = placeOf(current);
  const title = isRun ? runIdIn(current) : (place?.name ?? "Not found");
  useEffect(() => {
    document.title = `${title} · Perdure`;
  }, [title]);
  if (isRun) return <RunPage key={current} />;
  if (place) {
    const { page: Content } = place;
    return <Content key={place.path} />;
  }
  return (
    <main id="main" tabIndex={-1}>
      <h1 class="hidden">Not found</h1>
      <Empty icon="search" title="There is no such page">
        <Link to="/runs">To the runs</Link>
      </Empty>
    </main>
  );
}

const LIVE_WORDS = { live: "Live", paused: "Paused", connecting: "Connecting…" } as const;
const THEME_WORDS = { auto: "Colours: system", light: "Colours: light", dark: "Colours: dark" } as const;

function Side({ access }: { readonly access: Access }) {
  const current = path.value;
  const shown = current.startsWith("/runs/") ? "/runs" : placeOf(current)?.path;
  const nav = useRef<HTMLElement>(null);
  // On a narrow screen the pages stand in a line that scrolls.
  useEffect(() => {
    nav.current
      ?.querySelector("[aria-current=page]")
      ?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [shown]);
  return (
    <header class="side">
      <Link to="/runs" class="brand">
        <span class="brand-mark" aria-hidden="true" /> Perdure
      </Link>
      <nav aria-label="Pages" ref={nav}>
        {PLACES.map(({ path: to, name, icon }) => (
          <Link key={to} to={to} current={to === shown} class="place">
            <Icon name={icon} /> <span>{name}</span>
          </Link>
        ))}
      </nav>
      <div class="side-foot">
        <p class={`live is-${liveState.value}`} role="status">
          <span class="dot" aria-hidden="true" /> {LIVE_WORDS[liveState.value]}
        </p>
        {access.user !== undefined && (
          <p class="muted user">
            <Line text={access.user} />
          </p>
        )}
        {access.access !== "full" && <p class="tag is-warn">Read only</p>}
        <button type="button" class="place" onClick={nextTheme}>
          <Icon name="moon" /> <span>{THEME_WORDS[theme.value]}</span>
        </button>
        {access.canLogOut && (
          <button type="button" class="place" onClick={() => void logOut()}>
            <Icon name="exit" /> <span>Log out</span>
          </button>
        )}
        <p class="muted version">{access.version}</p>
      </div>
    </header>
  );
}
