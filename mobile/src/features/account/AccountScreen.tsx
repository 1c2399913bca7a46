import { useMutation, useQuery } from '@tanstack/react-query';
import { useIsFocused, useRouter } from 'expo-router';
import { useEffect, useState } from 'react';
import { StyleSheet, Switch, Text, View } from 'react-native';

import { accountQuery, rename, signOut, signOutEverywhere, type Account } from '@/features/account/queries';
import { RequireSession } from '@/features/auth/RequireSession';
import { useOnline } from '@/hooks';
import { interactive } from '@/performance/measure';
import { setConsent, usePreference } from '@/preferences';
import { formatDate, formatMoney, texts } from '@/texts';
import { Body, Button, Card, ErrorMessage, Field, Heading, Loading, Notice, Page } from '@/ui/components';
import { useColors } from '@/ui/theme';

export function AccountScreen() {
  return (
    <RequireSession>
      <Profile />
    </RequireSession>
  );
}

function Profile() {
  const account = useQuery({ ...accountQuery, subscribed: useIsFocused() });
  const shown = account.data !== undefined;
  useEffect(() => {
    if (shown) interactive('account');
  }, [shown]);
  if (account.data !== undefined) return <Details account={account.data} />;
  if (account.isError) {
    return (
      <Page title={texts.tabs.account}>
        <ErrorMessage error={account.error} onRetry={() => void account.refetch()} />
      </Page>
    );
  }
  return <Loading />;
}

function Details({ account }: { account: Account }) {
  const router = useRouter();
  const online = useOnline();
  const [name, setName] = useState(account.name);
  const save = useMutation({ mutationFn: () => rename(name.trim()) });
  const leave = useMutation({ mutationFn: signOut });
  const leaveEverywhere = useMutation({ mutationFn: signOutEverywhere });
  return (
    <Page title={texts.tabs.account}>
      {!online && <Notice>{texts.offline}</Notice>}
      <Card>
        <Heading level={2}>{account.name}</Heading>
        <Body muted>{account.email}</Body>
        <Body>
          {`${texts.account.plan}: ${account.plan}`}
          {account.plan_until ? ` ${texts.account.until(formatDate(account.plan_until))}` : ''}
        </Body>
        <Body>{`${texts.account.balance}: ${formatMoney(account.balance)}`}</Body>
      </Card>
      <Button kind="secondary" label={texts.account.orders} onPress={() => router.push('/orders')} />
      <Button kind="secondary" label={texts.account.images} onPress={() => router.push('/uploads')} />
      <Button kind="secondary" label={texts.account.devices} onPress={() => router.push('/devices')} />
      <Field label={texts.fields.name} value={name} onChangeText={setName} maxLength={80} autoComplete="name" />
      <ErrorMessage error={save.error} />
      {save.isSuccess && <Notice>{texts.account.saved}</Notice>}
      <Button
        label={texts.actions.save}
        busy={save.isPending}
        disabled={name.trim() === '' || name.trim() === account.name}
        onPress={() => save.mutate()}
      />
      <Consent />
      <ErrorMessage error={leaveEverywhere.error} />
      <Button kind="secondary" label={texts.actions.signOut} busy={leave.isPending} onPress={() => leave.mutate()} />
      <Button
        kind="danger"
        label={texts.actions.signOutEverywhere}
        busy={leaveEverywhere.isPending}
        onPress={() => leaveEverywhere.mutate()}
      />
    </Page>
  );
}

function Consent() {
  const colors = useColors();
  const consent = usePreference((preferences) => preferences.consent);
  return (
    <View style={styles.consent}>
      <View style={styles.consentText}>
        <Text style={{ color: colors.text, fontSize: 16 }}>{texts.account.consent}</Text>
        <Body muted>{texts.account.consentHint}</Body>
      </View>
      <Switch aria-label={texts.account.consent} value={consent} onValueChange={setConsent} />
    </View>
  );
}

const styles = StyleSheet.create({
  consent: { flexDirection: 'row', alignItems: 'center', gap: 16 },
  consentText: { flex: 1 },
});
