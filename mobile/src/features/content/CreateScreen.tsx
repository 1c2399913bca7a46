import { useMutation } from '@tanstack/react-query';
import { useRouter } from 'expo-router';
import { useState } from 'react';
import { Platform, Pressable, StyleSheet, Text, View } from 'react-native';

import { RequireSession } from '@/features/auth/RequireSession';
import type { Content, Form } from '@/features/content/queries';
import { createContent } from '@/features/content/writes';
import { queryClient } from '@/data';
import { texts } from '@/texts';
import { Button, ErrorMessage, Field, Notice, Page } from '@/ui/components';
import { space, useColors } from '@/ui/theme';

const FORMS: readonly Form[] = ['story', 'caption', 'verse'];

export function CreateScreen() {
  return (
    <RequireSession>
      <CreateForm />
    </RequireSession>
  );
}

function CreateForm() {
  const router = useRouter();
  const [prompt, setPrompt] = useState('');
  const [form, setForm] = useState<Form>('story');
  const create = useMutation({
    mutationFn: () => createContent({ prompt: prompt.trim(), form }),
    onSuccess: (content) => {
      setPrompt('');
      if (content === undefined) return;
      queryClient.setQueryData<Content>(['content', content.id], content);
      router.push(`/content/${content.id}`);
    },
  });
  return (
    <Page title={texts.tabs.create}>
      <Field label={texts.fields.prompt} value={prompt} onChangeText={setPrompt} multiline maxLength={500} />
      <Choice label={texts.fields.form} value={form} onChange={setForm} />
      <ErrorMessage error={create.error} />
      {create.isSuccess && create.data === undefined && <Notice>{texts.create.queued}</Notice>}
      <Button
        icon="create"
        label={texts.actions.generate}
        busy={create.isPending}
        disabled={prompt.trim() === ''}
        onPress={() => create.mutate()}
      />
    </Page>
  );
}

function Choice({ label, value, onChange }: { label: string; value: Form; onChange: (form: Form) => void }) {
  const colors = useColors();
  return (
    <View role="radiogroup" aria-label={label} style={styles.choice}>
      {FORMS.map((form) => (
        <Pressable
          key={form}
          role="radio"
          aria-checked={form === value}
          onPress={() => onChange(form)}
          {...onSpace(() => onChange(form))}
          style={[styles.option, { borderColor: form === value ? colors.accent : colors.border }]}
        >
          <Text style={{ color: form === value ? colors.accent : colors.text }}>{texts.create.forms[form]}</Text>
        </Pressable>
      ))}
    </View>
  );
}

/** A browser's radio buttons react to Space; react-native-web presses them with Enter only. */
function onSpace(press: () => void): object {
  if (Platform.OS !== 'web') return {};
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== ' ') return;
    event.preventDefault();
    press();
  };
  return { onKeyDown };
}

const styles = StyleSheet.create({
  choice: { flexDirection: 'row', flexWrap: 'wrap', gap: space.s },
  option: { minHeight: 44, justifyContent: 'center', borderWidth: 2, borderRadius: 22, paddingHorizontal: space.m },
});
