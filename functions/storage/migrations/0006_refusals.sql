-- An endpoint that refuses every document, such as for its key, while another one lacks its model.
alter table endpoints drop constraint endpoints_state_check;
alter table endpoints add constraint endpoints_state_check check (state in ('ok', 'out', 'missing', 'refused'));
alter table endpoints add column refusal text not null default ''; -- what it said
