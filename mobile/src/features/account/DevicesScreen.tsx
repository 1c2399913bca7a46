import { useQuery } from '@tanstack/react-query';

import { devicesQuery } from '@/features/account/queries';
import { RequireSession } from '@/features/auth/RequireSession';
import { formatDate, texts } from '@/texts';
import { Body, Card, ErrorMessage, Loading, Page } from '@/ui/components';

export function DevicesScreen() {
  return (
    <RequireSession>
      <Devices />
    </RequireSession>
  );
}

function Devices() {
  const devices = useQuery(devicesQuery);
  if (devices.isPending) return <Loading />;
  return (
    <Page title={texts.account.devices}>
      {devices.data?.items.map((device) => (
        <Card key={device.id}>
          <Body>{device.current ? texts.account.thisDevice : device.device}</Body>
          <Body muted>{formatDate(device.refreshed_at)}</Body>
        </Card>
      ))}
      <ErrorMessage error={devices.error} onRetry={() => void devices.refetch()} />
    </Page>
  );
}
