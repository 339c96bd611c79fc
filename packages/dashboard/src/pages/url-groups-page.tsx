import { ask } from "../api/http.ts";
import { useResource } from "../api/resource.ts";
import type { UrlGroup } from "../api/types.ts";
import { plural } from "../format/text.ts";
import { type Action, confirmAction } from "../ui/action.tsx";
import { ActionButton } from "../ui/button.tsx";
import { openForm } from "../ui/form-dialog.tsx";
import { HeadersView } from "../ui/headers-view.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { Empty, Loaded } from "../ui/states.tsx";
import { Line, Time } from "../ui/text.tsx";

/** The URL groups and their endpoints. */
export function UrlGroupsPage() {
  const groups = useResource("url-groups", (signal) => ask<readonly UrlGroup[]>("/v2/topics", { signal }));
  return (
    <main id="main" tabIndex={-1}>
      <PageHead title="URL groups" text="A message to a group goes to each of its endpoints.">
        <ActionButton icon="plus" look="primary" onClick={() => addEndpoint(undefined, groups.reload)}>
          Make a group
        </ActionButton>
      </PageHead>
      <Loaded of={groups}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="group" title="No URL groups">
              <p>A group is made with its first endpoint.</p>
            </Empty>
          ) : (
            all.map((group) => <Group key={group.name} group={group} reload={groups.reload} />)
          )
        }
      </Loaded>
    </main>
  );
}

interface GroupProps {
  readonly group: UrlGroup;
  readonly reload: () => void;
}

function Group({ group, reload }: GroupProps) {
  const { name, endpoints } = group;
  return (
    <section class="card" aria-label={`URL group ${name}`}>
      <header class="card-head">
        <h2>
          <Line text={name} mono />
        </h2>
        <span class="muted">
          {plural(endpoints.length, "endpoint")}, changed <Time at={group.updatedAt} />
        </span>
        <span class="grow" />
        <ActionButton small onClick={() => addEndpoint(name, reload)}>
          Add an endpoint…
        </ActionButton>
        <ActionButton
          small
          onClick={() =>
            confirmAction({
              title: "Delete the group?",
              text: "What was published to it is still delivered.",
              verb: "Delete",
              action: {
                target: `/v2/topics/${encodeURIComponent(name)}`,
                options: { method: "DELETE" },
                done: () => ({ text: "The group is deleted" }),
                after: reload,
              },
            })
          }
        >
          Delete
        </ActionButton>
      </header>
      <ul class="endpoints">
        {endpoints.map(({ url, name: endpoint }) => (
          <li key={url}>
            <Line text={url} mono />
            {endpoint !== undefined && (
              <span class="tag">
                <Line text={endpoint} />
              </span>
            )}
            <span class="grow" />
            <ActionButton
              small
              onClick={() =>
                confirmAction({
                  title: "Take the endpoint out?",
                  text: endpoints.length === 1 ? "It is the last one: the group goes, too." : url,
                  verb: "Take out",
                  action: removeAction(name, url, reload),
                })
              }
            >
              Take out
            </ActionButton>
          </li>
        ))}
      </ul>
      <HeadersView headers={group.headers} label="Default" />
    </section>
  );
}

function removeAction(name: string, url: string, after: () => void): Action {
  return {
    target: `/v2/topics/${encodeURIComponent(name)}/endpoints`,
    options: { method: "DELETE", body: { endpoints: [{ url }] } },
    done: () => ({ text: "The endpoint is taken out" }),
    after,
  };
}

function addEndpoint(group: string | undefined, after: () => void): void {
  openForm({
    title: group === undefined ? "Make a URL group" : "Add an endpoint",
    verb: group === undefined ? "Make" : "Add",
    fields: [
      { name: "group", label: "Group", value: group ?? "", readOnly: group !== undefined, required: true },
      { name: "url", label: "URL of the endpoint", required: true },
      { name: "name", label: "Name of the endpoint (optional)" },
    ],
    toAction: (values) => ({
      target: `/v2/topics/${encodeURIComponent(values.group ?? "")}/endpoints`,
      options: {
        method: "POST",
        body: { endpoints: [{ url: values.url, ...(values.name === "" ? {} : { name: values.name }) }] },
      },
      done: () => ({ text: "The endpoint is added" }),
      after,
    }),
  });
}
